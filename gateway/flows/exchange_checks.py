"""交换层核查 Checks of what belongs to no referral: each reads the store and yields findings whose referral is None.

A new one is one line here: (connection, context, as of) → findings. What a referral's dossier holds is checked in
`domain.reconciliation` instead.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.reconciliation.values import Finding
from gateway.flows import adjudicate, clue, inquiry_result
from gateway.flows.context import Context

EXCHANGE_CHECKS: tuple[Callable[[Connection, Context, datetime], Iterable[Finding]], ...] = (
    adjudicate.missing,
    inquiry_result.unanswered,
    clue.unanswered,
)
