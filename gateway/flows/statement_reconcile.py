"""对账单核对 Each statement in force against what was told to us, both ways, set-wise (hop 11).

1. the database names what does not plainly agree: needs, persons, accounts (`store.statements_sql`, or another engine);
2. each of them is judged with everything on file about it (`domain.reconciliation.statements`, `.statement_persons`);
3. the findings of one statement, and of those it corrects, are named after the first of them: a second run, or a
   correction, changes what changed and nothing else; they are written in short transactions.
What is in force is read from rows that never change, so a past morning is compared with what was there then.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.reconciliation.as_known import Seen
from gateway.domain.reconciliation.checks import run
from gateway.domain.reconciliation.grants import grants_of, is_continuing
from gateway.domain.reconciliation.statement_persons import Case, Entry, conflicting, judge_account, judge_person
from gateway.domain.reconciliation.statements import Compared, Listed, judge_need
from gateway.domain.reconciliation.values import Dossier, Finding, Rulebook
from gateway.domain.statement import Statement
from gateway.flows.context import Context
from gateway.matching.keyed import secret_name
from gateway.store import dossiers, findings, statements
from gateway.store import statements_sql as sql
from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.findings import STATEMENT, Changes
from gateway.store.statements_sql import Scope

logger = logging.getLogger(__name__)

AT_ONCE = 500
MOST_LINES = 400
"""Of one person that are compared with each other: whoever has more is found by these."""
Found = tuple[Finding, str]
"""(finding, version of the rules)."""


class Engine:
    """核对引擎: names what has to be looked at, in pages; this one in plain SQL."""

    def needs(self, connection: Connection, scope: Scope) -> Iterator[list[str]]:
        """Needs on which the two sides do not plainly agree."""
        return sql.needs_to_look_at(connection, scope)

    def persons(
        self,
        connection: Connection,
        scope: Scope,
        others: Sequence[int],
        conflicting: Sequence[tuple[str, str]],
    ) -> Iterator[list[str]]:
        """Persons whom two offices list, or one lists against what another told."""
        return sql.persons_to_look_at(connection, scope, others, conflicting)

    def accounts(self, connection: Connection, scope: Scope, others: Sequence[int]) -> Iterator[list[str]]:
        """Accounts that money of several persons went to."""
        return sql.accounts_to_look_at(connection, scope, others)


PLAIN = Engine()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    """What one comparison needs beside the database."""

    context: Context
    statement: Statement
    name: str
    scope: Scope
    compared: Compared
    others: tuple[tuple[Statement, int], ...]
    """Statements in force, this one among them, each with the row of the first it corrects."""
    rulebook: Rulebook
    as_of: datetime
    now: datetime

    @property
    def in_force(self) -> list[int]:
        """Their rows."""
        return [one.row for one, _ in self.others]

    @property
    def of_party(self) -> list[int]:
        """Those of the same party."""
        return [one.row for one, _ in self.others if one.party == self.statement.party]


def reconcile_all(context: Context, *, now: datetime, seen: Seen | None = None) -> Changes:
    """Every statement in force, and what was found of those that are not any more."""
    with context.store.reading() as connection:
        every = statements.in_force(connection)
    changes = Changes()
    for statement in every:
        changes += reconcile(context, statement, now=now, seen=seen)
    return changes


def reconcile_fresh(context: Context, *, now: datetime) -> int:
    """The statements that were read and not compared yet; how many."""
    with context.store.reading() as connection:
        rows = set(statements.unreconciled(connection))
        every = statements.in_force(connection) if rows else []
    fresh = [one for one in every if one.row in rows]
    # a correction may end what another statement was found to share with the one it corrects
    corrects = any(one.replaces is not None for one in fresh)
    for statement in every if corrects else fresh:
        reconcile(context, statement, now=now)
    left = rows - {one.row for one in fresh}  # replaced before anybody looked
    if left:
        context.store.write(lambda c: statements.mark_reconciled(c, sorted(left), now=now))
    return len(fresh)


def reconcile(
    context: Context,
    statement: Statement,
    *,
    now: datetime,
    seen: Seen | None = None,
    engine: Engine = PLAIN,
) -> Changes:
    """One statement; what changed on file. engine: names what has to be looked at. One whose keys were made under a
    former matching secret is compared no more."""
    with context.store.reading() as connection:
        name = name_of(connection, statement)
        if _work(connection, context, statement, now, now) is None:
            return Changes()  # what was found before stands
        changes = _settle(context, name, _found(connection, context, statement, now, now, engine), now, seen)
    context.store.write(lambda c: statements.mark_reconciled(c, [statement.row], now=now))
    extra = {"message_id": statement.statement_id, "opened": changes.opened, "closed": changes.closed}
    logger.info("statement reconciled", extra=extra)
    return changes


def would_find(connection: Connection, context: Context, *, as_of: datetime, now: datetime) -> Iterator[Found]:
    """What a run at that moment would find in every statement in force; writes nothing."""
    for statement in statements.in_force(connection):
        yield from _found(connection, context, statement, as_of, now, PLAIN)


def name_of(connection: Connection, statement: Statement) -> str:
    """What its findings are named after: the first statement it corrects, and its party."""
    first = statements.family(connection, statement)
    return f"{first.statement_id}@{first.party}"


def _found(
    connection: Connection,
    context: Context,
    statement: Statement,
    as_of: datetime,
    now: datetime,
    engine: Engine,
) -> Iterator[Found]:
    work = _work(connection, context, statement, as_of, now)
    if work is None:
        return
    told: set[str] = set()
    needs, persons = _of_needs(connection, work, engine), _of_persons(connection, work, engine)
    for found in chain(needs, persons, _of_accounts(connection, work, engine)):
        if found.key not in told:
            told.add(found.key)
            yield found, work.rulebook.version


def scope_of(connection: Connection, context: Context, statement: Statement, *, now: datetime) -> Scope | None:
    """What a statement is compared with; None while its lines are not read."""
    work = _work(connection, context, statement, now, now)
    return None if work is None else work.scope


def _work(
    connection: Connection, context: Context, statement: Statement, as_of: datetime, now: datetime
) -> _Work | None:
    read = statements.read_of(connection, statement.row)
    snapshot = context.snapshot(now)
    agreement = snapshot.agreement_for(statement.document)
    if read is None or agreement is None or read["keyed_under"] not in (None, secret_name(context.matching_secret)):
        return None
    rulebook = context.rulebook(agreement[1])
    offices = tuple(one.office_id for one in snapshot.office_of(statement.party) if _covers(statement, one))
    lists_all = statement.complete and read["kept"] == statement.lines
    name = name_of(connection, statement)
    every = statements.in_force(connection)
    return _Work(
        context=context,
        statement=statement,
        name=name,
        scope=Scope(
            statement=statement,
            offices=offices,
            continuing=tuple(code for code in sorted(rulebook.programmes) if is_continuing(code, rulebook)),
            lists_all=lists_all,
            persons=bool(read["persons"]),
            accounts=bool(read["accounts"]),
        ),
        compared=Compared(
            statement=statement,
            name=name,
            offices=frozenset(offices),
            lists_all=lists_all,
            read_at=from_ms(read["read_at"]),
        ),
        others=tuple((one, statements.family(connection, one).row) for one in every),
        rulebook=rulebook,
        as_of=as_of,
        now=now,
    )


def _covers(statement: Statement, office: object) -> bool:
    if getattr(office, "agency", None) != statement.agency:
        return False
    if statement.office_id is not None:
        return getattr(office, "office_id", None) == statement.office_id
    return statement.region is None or getattr(office, "region", None) == statement.region


# --- needs ---


def _of_needs(connection: Connection, work: _Work, engine: Engine) -> Iterator[Finding]:
    for page in engine.needs(connection, work.scope):
        yield from _judge_needs(connection, work, page)


def _judge_needs(connection: Connection, work: _Work, page: Sequence[str]) -> Iterator[Finding]:
    referral_of = sql.referrals_of(connection, page)
    whole = {one.referral.referral_id: one for one in dossiers.read(connection, list(set(referral_of.values())))}
    keys = sql.keys_of(connection, whole) if work.scope.persons else {}
    books = _books(connection, work, list(whole))
    listed = _listed(connection, work, page, whole, keys)
    for need_id in page:
        dossier = whole.get(referral_of.get(need_id, ""))
        if dossier is None or dossier.referral.withdrawn:
            continue
        mine = frozenset(keys.get(dossier.referral.referral_id, ()))
        book = books[dossier.referral.referral_id]
        for need in dossier.needs:
            if need.need_id == need_id:
                about = listed.get(need_id, [])
                yield from judge_need(need, about, mine, dossier, work.compared, book, work.as_of)


def _listed(
    connection: Connection,
    work: _Work,
    page: Sequence[str],
    whole: Mapping[str, Dossier],
    keys: Mapping[str, set[str]],
) -> dict[str, list[Listed]]:
    """Lines about each need: those that name it, and those that name one of its people and its programme."""
    found: dict[str, list[Listed]] = {}
    for row in sql.lines_about(connection, work.of_party, page):
        found.setdefault(row["need_id"], []).append(Listed(statement_row=row["statement_row"], line=sql.line_of(row)))
    people = {key for some in keys.values() for key in some}
    by_key: dict[str, list[sa.RowMapping]] = {}
    for row in sql.lines_of_persons(connection, work.of_party, people):
        if row["need_id"] is None:
            by_key.setdefault(row["person_key"], []).append(row)
    wanted = set(page)
    for referral_id, dossier in whole.items():
        for need in dossier.needs if by_key else ():
            if need.need_id not in wanted:
                continue
            for key in sorted(keys.get(referral_id, ())):
                for row in by_key.get(key, ()):
                    if row["programme"] == need.programme:
                        one = Listed(statement_row=row["statement_row"], line=sql.line_of(row), by_person=True)
                        found.setdefault(need.need_id, []).append(one)
    return found


def _books(connection: Connection, work: _Work, referral_ids: Sequence[str]) -> dict[str, Rulebook]:
    """The rules of the agreement each referral came under."""
    agreements = work.context.snapshot(work.now).agreements
    rows = dossiers.agreement_rows(connection, referral_ids)
    made = {row: work.context.rulebook(agreements[row]) for row in set(rows.values())}
    return {referral_id: made[row] for referral_id, row in rows.items()}


# --- persons and accounts ---


def _of_persons(connection: Connection, work: _Work, engine: Engine) -> Iterator[Finding]:
    others = [row for row in work.in_force if row != work.statement.row]
    for page in engine.persons(connection, work.scope, others, conflicting(work.rulebook)):
        entries = _entries(work, sql.lines_of_persons(connection, work.in_force, page), "person_key")
        entries = {key: some[:MOST_LINES] for key, some in entries.items()}
        cases = sql.cases_of(connection, page)
        whole = _dossiers_of(connection, cases)
        for key in page:
            mine = [whole[one] for one, role in cases.get(key, ()) if role == sql.BENEFICIARY and one in whole]
            grants = [grant for one in mine for grant in grants_of(one.referral, one.needs, one.replies, work.rulebook)]
            yield from judge_person(
                key,
                entries.get(key, []),
                grants,
                about=work.statement,
                name=work.name,
                case=_case(work, entries.get(key, []), mine),
                said=_said(mine, work),
                rulebook=work.rulebook,
            )


def _said(mine: Sequence[Dossier], work: _Work) -> frozenset[tuple[str, frozenset[str]]]:
    """What the referrals' own checks say: code and programmes."""
    return frozenset(
        (one.code, frozenset(one.evidence.get("programmes", ())))
        for dossier in mine
        for one in run(dossier, work.rulebook, work.as_of)
        if one.code.startswith("DUP_")
    )


def _dossiers_of(connection: Connection, cases: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, Dossier]:
    wanted = list({one for found in cases.values() for one, _ in found})
    found = dossiers.read(connection, wanted) if wanted else []
    return {one.referral.referral_id: one for one in found if not one.referral.withdrawn}


def _case(work: _Work, entries: Sequence[Entry], mine: Sequence[Dossier]) -> Case:
    needs = [one.line.need_id for one in entries if one.statement.row == work.statement.row and one.line.need_id]
    for dossier in reversed(mine):
        named = next((need.need_id for need in dossier.needs if need.need_id in needs), None)
        if named is not None:
            return Case(referral_id=dossier.referral.referral_id, need_id=named)
    return Case(referral_id=mine[-1].referral.referral_id) if mine else Case()


def _of_accounts(connection: Connection, work: _Work, engine: Engine) -> Iterator[Finding]:
    orders = {one.row: order for one, order in work.others}
    others = [row for row in work.in_force if orders[row] < orders.get(work.statement.row, 0)]
    for page in engine.accounts(connection, work.scope, others):
        entries = _entries(work, sql.lines_of_accounts(connection, work.in_force, page), "account_key")
        people = {one.line.person_key for some in entries.values() for one in some if one.line.person_key}
        cases = sql.cases_of(connection, people)
        households = {key: frozenset(referral_id for referral_id, _ in found) for key, found in cases.items()}
        known = {
            key: Case(referral_id=found[-1][0])
            for key, found in cases.items()
            if any(role == sql.BENEFICIARY for _, role in found)
        }
        for account in page:
            yield from judge_account(
                account, entries.get(account, []), households, about=work.statement, name=work.name, cases=known
            )


def _entries(work: _Work, rows: Sequence[sa.RowMapping], column: str) -> dict[str, list[Entry]]:
    known = {one.row: (one, order) for one, order in work.others}
    found: dict[str, list[Entry]] = {}
    for row in rows:
        statement, order = known[row["statement_row"]]
        found.setdefault(row[column], []).append(Entry(statement=statement, order=order, line=sql.line_of(row)))
    return found


# --- on file ---


def _settle(context: Context, name: str, found: Iterator[Found], now: datetime, seen: Seen | None) -> Changes:
    """In pieces of `AT_ONCE`, while the comparison goes on, so that nobody waits long and nothing piles up: what is
    found, then what is found no more."""
    f = t.findings.c
    with context.store.reading() as connection:
        on_file = set(connection.scalars(sa.select(f.key).where(f.of_statement == name)))
    changes = Changes()
    while piece := list(islice(found, AT_ONCE)):
        keys = [finding.key for finding, _ in piece]
        changes += _piece(context, keys, piece, now)
        on_file -= set(keys)
        if seen is not None:
            seen.add(piece)
    gone = iter(sorted(on_file))
    while keys := list(islice(gone, AT_ONCE)):
        changes += _piece(context, keys, [], now)
    return changes


def _piece(context: Context, keys: Sequence[str], found: Sequence[Found], now: datetime) -> Changes:
    scope = sa.and_(t.findings.c.origin == STATEMENT, t.findings.c.key.in_(keys))
    return context.store.write(
        lambda connection: findings.settle_where(connection, scope, found, now=now, origin=STATEMENT)
    )
