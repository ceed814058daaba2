"""接收时的重复核对 Rule D01 at intake: one aid per person and original case, for ever; a referral is held, not refused.

1. what was stated together of the matters in question is read once, and only where somebody is known;
2. a referral is held against other referrals of the person, earlier ones of its own group among them, and against old
   ledgers. Joint aid of two courts is one aid (D04); a ledger's line about this very case is this aid.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from gateway.domain.coexistence import JUDICIAL
from gateway.domain.original_case import Statement, matter_of, numbers_of
from gateway.domain.reconciliation.rows_same_help import LedgerAidRow
from gateway.domain.reconciliation.same_inputs import case_number_text
from gateway.domain.referral import Decision, Referral
from gateway.store import ledgers, same_help
from gateway.store.referrals import Relative

Coming = tuple[Referral, str | None, str | None]
"""(referral, person key, key of its own number)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AidBefore:
    """先前救助: what is known of earlier aid to these persons."""

    statements: tuple[Statement, ...]
    old: Mapping[str, Sequence[LedgerAidRow]]

    def was_given(self, referral: Referral, keys: Iterable[str | None], others: Iterable[Relative]) -> bool:
        """Whether the person had aid for this matter before."""
        if referral.decision is not Decision.ASSIST:
            return False
        matter = matter_of(numbers_of(referral.original_case_group), self.statements)
        if any(_is_same(referral, other, matter) for other in others):
            return True
        lines = [one for key in dict.fromkeys(keys) if key is not None for one in self.old.get(key, ())]
        return any(_is_old(referral, line, matter) for line in lines)


def look(connection: Connection, coming: Sequence[Coming], relatives: Mapping[str, Sequence[Relative]]) -> AidBefore:
    """For one group of referrals."""
    keys = [key for _, person, own in coming for key in {person, own} if key is not None]
    old = ledgers.aids_of(connection, set(keys))
    known = {key for key in keys if relatives.get(key) or old.get(key) or keys.count(key) > 1}
    near = [referral for referral, person, own in coming if known & {person, own}]
    numbers = {number for referral in near for number in numbers_of(referral.original_case_group)}
    stated = same_help.statements(connection, numbers) if numbers else {}
    own_words = (numbers_of(referral.original_case_group) for referral in near)
    return AidBefore(statements=(*stated.values(), *own_words), old=old)


def link_rows(referral: Referral, message_id: str) -> Iterator[dict[str, Any]]:
    """原案件关联: the numbers the court states to be one matter."""
    for number in numbers_of(referral.original_case_group):
        yield {
            "message_id": message_id,
            "court": referral.court,
            "stated_by": referral.referral_id,
            "number": number,
        }


def _is_same(referral: Referral, other: Relative, matter: frozenset[str]) -> bool:
    if other.decision != Decision.ASSIST or _joint(referral, other.joint_id):
        return False
    return not matter.isdisjoint(numbers_of(other.original_case_group))


def _is_old(referral: Referral, line: LedgerAidRow, matter: frozenset[str]) -> bool:
    if line.programme != JUDICIAL or _joint(referral, line.joint_id):
        return False
    if case_number_text(line.case_number) == case_number_text(referral.case_number):
        return False
    return not matter.isdisjoint(line.numbers)


def _joint(referral: Referral, joint_id: str | None) -> bool:
    return referral.joint_id is not None and referral.joint_id == joint_id
