"""管理台存量 Synthetic rows of a province's years of referrals, inserted in bulk: what the console's pages read.

Courts, offices, states, groups, kinds and limits are spread as in a province; one referral in twenty has an open need,
one in five of those is overdue, one in four has a finding, one in ten of those is open. The messages' own texts are
left out (`-`): no list reads them, and the referral whose page is measured is a real one.
"""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.engine import open_engine

CHUNK = 10_000
YEARS = timedelta(days=3 * 365)
SEED = 20240601
DAY_MS = 86_400_000
_STATES = (
    *(("assisted", 640), ("closed", 90), ("not_assisted", 140), ("withdrawn", 30), ("followed_up", 40)),
    *(("routed", 5), ("handed_off", 10), ("received", 10), ("under_review", 15), ("in_progress", 15)),
    *(("accepted", 4), ("held", 1)),
)
_OPEN = frozenset({"routed", "handed_off", "received", "under_review", "in_progress", "accepted"})
_GROUPS = (("", 55), ("WOMAN", 15), ("ELDERLY", 10), ("MINOR", 10), ("DISABLED", 7), ("DISABLED WOMAN", 3))
_KINDS = ("criminal", "civil", "enforcement", "administrative", "state_compensation", "petition", "other")
_CHARACTERS = "刑民执行赔访他"
_PROGRAMMES = ("MLG", "LIM", "TMP_E", "MED", "DST")
_OF_COURTS, _OF_OFFICES = ("DUP_SAME_ORIGINAL_CASE", "DUP_OPEN_REFERRAL"), ("MISS_NO_DECISION", "MISS_NO_RECEIPT")
_ONE_FINDING_IN = 4
_EVIDENCE = '{"limit": "L04", "office": "civil_affairs-520102", "programme": "MLG", "since": "2026-01-05"}'


@dataclass(frozen=True, kw_only=True)
class Province:
    """Whose referrals they are."""

    courts: Sequence[str]
    offices: Sequence[str]
    now: datetime
    first_row: int
    """Of referrals and of needs: above what is there."""


@dataclass(kw_only=True)
class Batch:
    """Rows of some referrals, by table."""

    rows: dict[sa.Table, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: sa.Table, **row: Any) -> None:
        """One row."""
        self.rows.setdefault(table, []).append(row)


def fill(url: str, province: Province, amount: int) -> float:
    """So many referrals with everything that belongs to them; how long it took."""
    began = time.perf_counter()
    engine = open_engine(url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.cursor().execute("PRAGMA synchronous=OFF")  # before any transaction
        for batch in batches(province, amount):
            with connection.begin():
                for table, rows in batch.rows.items():
                    _insert(connection, table, rows)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE)")
    engine.dispose()
    return time.perf_counter() - began


def batches(province: Province, amount: int) -> Iterator[Batch]:
    """In the order of their acceptance."""
    chance = random.Random(SEED)
    numbers = iter(range(amount))
    while chunk := list(islice(numbers, CHUNK)):
        batch = Batch()
        for number in chunk:
            _referral(batch, province, number, amount, chance)
        yield batch


def _insert(connection: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    names = list(rows[0])
    columns = ", ".join(f'"{name}"' for name in names)
    values = ([row[name] for name in names] for row in rows)
    cursor = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        cursor.executemany(f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})', values)
    else:
        _copy(cursor, f'COPY "{table.name}" ({columns}) FROM STDIN', values)
    cursor.close()


def _copy(cursor: Any, statement: str, values: Iterable[Sequence[Any]]) -> None:
    with cursor.copy(statement) as copy:
        for row in values:
            copy.write_row(row)


def _pick(chance: random.Random, weighted: Sequence[tuple[str, int]]) -> str:
    return chance.choices([one for one, _ in weighted], [weight for _, weight in weighted])[0]


def _referral(batch: Batch, province: Province, number: int, amount: int, chance: random.Random) -> None:
    referral_id = f"b{number:09}-7000-8000-{chance.getrandbits(48):012x}"
    at = to_ms(province.now - YEARS) + int(YEARS.total_seconds() * 1000) * number // amount
    court = province.courts[min(int(chance.expovariate(8 / len(province.courts))), len(province.courts) - 1)]
    groups, kind = _pick(chance, _GROUPS), number % len(_KINDS)
    year, needs = 2023 + 3 * number // amount, 2 if number % 4 == 0 else 1
    batch.add(
        t.referrals,
        row=province.first_row + number,
        referral_id=referral_id,
        court=court,
        document="黔高法〔2022〕98号",
        agreement_row=1,
        message_id=f"m{referral_id[1:]}",
        version=1,
        case_number=f"（{year}）黔01司救{_CHARACTERS[kind]}{number + 1000}号",
        case_type=_KINDS[kind],
        original_case_group=f"（{year - 1}）黔0102刑初{number + 1000}号",
        decision="ASSIST",
        decided_amount_fen=2_000_000,
        advance_fen=0,
        cap_exceeded_reason=False,
        ground_code="G1",
        assessment="REFER",
        urgency="NORMAL",
        region="520102",
        groups=groups,
        is_minor="MINOR" in groups,
        has_custody=False,
        id_type="111",
        has_birth_date=True,
        synthetic=True,
        concluded_on=f"{year}-01-01",
        accepted_at=at,
        needs_accepted=needs,
        holds="",
        person_key=f"{chance.getrandbits(256):064x}",
        inquiry_waived=False,
    )
    stated = {"message_id": f"m{referral_id[1:]}", "court": court, "stated_by": referral_id}
    batch.add(t.original_case_links, **stated, number=f"（{year - 1}）黔0102刑初{number + 1000}号")
    batch.add(t.inbox, source=court, message_id=f"m{referral_id[1:]}", type="referral.submitted", digest="0" * 64,
              subject=referral_id, seq=number, received_at=at, kid="k", jws="-", receipt="-")  # fmt: skip
    for place in range(needs):
        office = _need(batch, province, number, place, referral_id, court, at, "MINOR" in groups, chance)
        if place == 0 and number % _ONE_FINDING_IN == 0:
            _finding(batch, province, referral_id, court, at, groups, office, chance)
    batch.add(t.decisions, decision_id=f"d{referral_id[1:]}", at=at, who="account:bench", what="referral_viewed",
              subject=referral_id, why="page")  # fmt: skip


def _need(
    batch: Batch,
    province: Province,
    number: int,
    place: int,
    referral_id: str,
    court: str,
    at: int,
    is_minor: bool,
    chance: random.Random,
) -> str | None:
    """The office it was handed to."""
    state, office = _pick(chance, _STATES), chance.choice(province.offices)
    need_id, row = f"{referral_id}:{place + 1}", province.first_row + 2 * number + place
    handed, message_id = state not in ("accepted", "held"), f"o{referral_id[1:]}-{place}"
    batch.add(
        t.needs,
        row=row,
        need_id=need_id,
        referral_id=referral_id,
        court=court,
        programme=_PROGRAMMES[number % len(_PROGRAMMES)],
        state=state,
        state_at=at + 3 * DAY_MS,
        priority=1,
        accepted_at=at,
        agency="civil_affairs" if handed else None,
        office_id=office if handed else None,
        handoff_id=f"h{message_id[1:]}" if handed else None,
        step=0,
        because="programme=MLG;agency=civil_affairs;region=520102;by=household_registration;level=county;distance=0",
        issued_at=at + 1000 if handed else None,
        relayed_at=at + 2000 if handed else None,
        decided_at=at + 2 * DAY_MS if state in ("assisted", "closed", "not_assisted", "followed_up") else None,
        paid_at=at + 3 * DAY_MS if state in ("assisted", "closed", "followed_up") else None,
        approved_fen=65_000,
        paid_fen=65_000,
    )
    moved = {"need_id": need_id, "at": at, "recorded_at": at, "cause": f"m{referral_id[1:]}"}
    for before, after in (("accepted", "routed"), ("routed", "handed_off"), ("handed_off", state)):
        batch.add(t.need_moves, **moved, from_state=before, to_state=after)
    if handed:
        _handed(batch, referral_id, need_id, message_id, office, at, state)
    if state in _OPEN:
        now, late = to_ms(province.now), chance.random() < 0.2
        due = now - chance.randrange(1, 400) * DAY_MS // 10 if late else now + chance.randrange(1, 300) * DAY_MS // 10
        batch.add(t.need_clocks, need_row=row, need_id=need_id, referral_id=referral_id, court=court, must_act=office,
                  waits_for="decision", limit_id="L04", is_minor=is_minor, due_at=due, is_unknown=False,
                  is_unexplained=False)  # fmt: skip
    return office if handed else None


def _handed(batch: Batch, referral_id: str, need_id: str, message_id: str, office: str, at: int, state: str) -> None:
    handoff_id = f"h{message_id[1:]}"
    batch.add(t.handoffs, handoff_id=handoff_id, message_id=message_id, referral_id=referral_id, office_id=office,
              agency="civil_affairs", step=0, state="completed", issued_at=at,
              need_ids=f'[["{need_id}", "MLG"]]')  # fmt: skip
    batch.add(t.outbox, message_id=message_id, effect_key=f"handoff:{message_id}", office_id=office,
              recipient="cn/agency/bench", type="handoff.issued", referral_id=referral_id, handoff_id=handoff_id,
              seq=len(batch.rows.get(t.outbox, ())) + at * 100, priority=1, jws="-", digest="0" * 64, state="relayed",
              attempts=1, ladder_from=0, created_at=at, lease_fence=1)  # fmt: skip
    batch.add(t.attempts, message_id=message_id, number=1, fence=1, started_at=at, finished_at=at + 50,
              outcome="relayed", http_status=200)  # fmt: skip
    for rung in ("relay", "disposition"):
        batch.add(t.receipts, message_id=message_id, rung=rung, verdict="accepted", positive=True, reason_code=None,
                  issuer="cn/agency/bench", at=at, recorded_at=at, jws="-")  # fmt: skip
    if state in ("assisted", "closed", "not_assisted", "followed_up"):
        denied = state == "not_assisted"
        batch.add(t.replies, reply_id=f"p{message_id[1:]}", message_id=f"a{message_id[1:]}", office=office,
                  referral_id=referral_id, handoff_id=handoff_id, need_id=need_id,
                  code="DENIED" if denied else "PAID", raw_code="31" if denied else "40", at=at, recorded_at=at,
                  applied=True, reason="INCOME_OVER" if denied else None, has_text=denied,
                  amount_fen=None if denied else 65_000)  # fmt: skip


def _finding(
    batch: Batch,
    province: Province,
    referral_id: str,
    court: str,
    at: int,
    groups: str,
    office: str | None,
    chance: random.Random,
) -> None:
    of_office, is_open = chance.random() < 0.6, chance.random() < 0.1
    code = chance.choice(_OF_OFFICES if of_office else _OF_COURTS)
    batch.add(t.findings, key=f"{code}|{referral_id}|{referral_id}:1|", origin="dossier", code=code, rule_id="D01",
              rulebook="bench/1", referral_id=referral_id, need_id=f"{referral_id}:1", of_court=court,
              of_minor="MINOR" in groups, of_groups=groups, of_office=office, subject="",
              evidence=_EVIDENCE, stake_fen=chance.randrange(1, 20_000) * 100,
              must_act=chance.choice(province.offices) if of_office else court, due_at=at + 10 * DAY_MS,
              state="open" if is_open else "closed", opened_at=at,
              closed_at=None if is_open else at + DAY_MS)  # fmt: skip
