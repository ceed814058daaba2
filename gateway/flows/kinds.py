"""报文类型总表 Every type of message the gateway accepts, in the order in which one group of messages is recorded.

The order matters where one group may hold a message and what follows it: a referral before its withdrawal, its payment,
and what agencies say of it. A new type is one line here and one flow that declares it.
"""

from collections.abc import Mapping

from gateway.flows import (
    amend,
    clue,
    completeness,
    court,
    court_money,
    inquiry,
    inquiry_answer,
    intake,
    match_said,
    receive,
    reserve,
    retrieved,
    statement,
)
from gateway.flows.message_kind import MessageKind

KINDS: tuple[MessageKind, ...] = (
    *intake.KINDS,
    *amend.KINDS,
    *court.KINDS,
    *court_money.KINDS,
    *receive.KINDS,
    *inquiry.KINDS,
    *inquiry_answer.KINDS,
    *clue.KINDS,
    *retrieved.KINDS,
    *reserve.KINDS,
    *match_said.KINDS,
    *statement.KINDS,
    *completeness.KINDS,
)
BY_TYPE: Mapping[str, MessageKind] = {kind.type: kind for kind in KINDS}
