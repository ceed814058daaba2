"""比对 Who came in may be somebody who is known; asked only where the agreement authorises it (P06).

1. outside the database: the beneficiary's record and its keys;
2. in the writer's turn: candidates by blocking key, at most `MOST_IN_BLOCK` a key; each record is opened and compared;
3. SAME joins the person: the referral takes the person key of whoever was there first;
   POSSIBLE holds its needs (`MATCH`) until a person decides, with the points on file; nobody is refused (Law 6);
4. what was found is a row that rests on a decision leaf, and every use of matching is one.

A referral that was withdrawn holds nobody. The court learns that there may be another referral, and nothing of it.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from gateway.domain.referral import Referral
from gateway.errors import ConfigError, FieldProblem
from gateway.flows.context import Context
from gateway.matching.decide import MatchKind, MatchResult, MatchVerdict, compare
from gateway.matching.keyed import secret_name
from gateway.matching.keys import BlockingKeys, probing_keys, stored_keys
from gateway.matching.record import PersonRecord, record_of
from gateway.matching.weights import load_weights
from gateway.store import persons
from gateway.store.clock import to_ms
from gateway.store.persons import MOST_IN_BLOCK, KnownPerson

logger = logging.getLogger(__name__)

HOLD = "MATCH"
WARNING = FieldProblem(pointer="/data/person", code="possible_same_person")
BORROWED = FieldProblem(pointer="/data/person/id_number", code="relatives_number")
MATCHING_USED, MATCH_FOUND = "matching_used", "match_found"
COMPARED = " compared"
"""What the use of matching says of a referral whose record and keys were kept."""
MOST_FOUND = 10
"""So many matches of one referral are kept, the highest first: a person can look at no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Likeness:
    """What a referral's beneficiary is compared by. probes: keys to look under; secret: the name of the one they were
    made with."""

    record: PersonRecord
    keys: BlockingKeys
    probes: BlockingKeys
    secret: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One referral to be compared. person_key: the one of its own number."""

    referral_id: str
    person_key: str | None
    likeness: Likeness
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """What came of it. full: kinds of blocks that held too many people to look at all."""

    person_key: str | None
    found: tuple[tuple[str, MatchResult], ...] = ()
    full: tuple[str, ...] = ()
    warnings: tuple[FieldProblem, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether a person has to look."""
        return any(result.verdict is MatchVerdict.POSSIBLE for _, result in self.found)


def likeness_of(referral: Referral, context: Context) -> Likeness:
    """Needs no database."""
    record = record_of(referral.person, regions=context.regions)
    return Likeness(
        record=record,
        keys=stored_keys(record, context.matching_secret),
        probes=probing_keys(record, context.matching_secret),
        secret=secret_name(context.matching_secret),
    )


@dataclass(kw_only=True)
class _Desk:
    """Who is known: rows of the database, and those of this very group who came before."""

    under: dict[str, list[str]]
    people: dict[str, KnownPerson]
    records: dict[str, PersonRecord] = field(default_factory=dict)

    def record(self, referral_id: str) -> PersonRecord | None:
        """Opened once."""
        if referral_id not in self.records and (person := self.people.get(referral_id)) is not None:
            self.records[referral_id] = PersonRecord.unpack(person.text)
        return self.records.get(referral_id)

    def add(self, item: Asked, person_key: str | None) -> None:
        """From now on whoever comes in the same group meets this one too."""
        for _, key in item.likeness.keys:
            self.under.setdefault(key, []).insert(0, item.referral_id)
        self.records[item.referral_id] = item.likeness.record
        self.people[item.referral_id] = KnownPerson(
            referral_id=item.referral_id, text="", person_key=person_key, withdrawn=False, row=_LAST
        )


_LAST = 2**62


def check(connection: Connection, items: Sequence[Asked]) -> list[Compared]:
    """One outcome each, in order; writes nothing. Raises ConfigError where this process has not heard that the
    matching secret was rotated: under the former one nobody would be found."""
    kept = persons.newest_secret(connection)
    if kept is not None and any(item.likeness.secret != kept for item in items):
        raise ConfigError("the matching secret was rotated; restart this process with the new file")
    wanted = {key for item in items for _, key in item.likeness.probes}
    under = persons.candidates(connection, wanted)
    near = {one for key in under for one in under[key][:MOST_IN_BLOCK]}
    desk = _Desk(under=under, people=persons.known(connection, near))
    compared = []
    for item in items:
        done = _check(desk, item)
        desk.add(item, done.person_key)
        compared.append(done)
    return compared


def _check(desk: _Desk, item: Asked) -> Compared:
    weights, results, full = load_weights(), [], []
    seen: set[str] = set()
    for kind, key in item.likeness.probes:
        block = desk.under.get(key, [])
        if len(block) > MOST_IN_BLOCK:
            full.append(str(kind))
        for referral_id in block[:MOST_IN_BLOCK]:
            other = None if referral_id in seen else desk.record(referral_id)
            seen.add(referral_id)
            if other is not None:
                result = compare(item.likeness.record, other, weights)
                if result.verdict is not MatchVerdict.NEW:
                    results.append((desk.people[referral_id], result))
    if full:
        logger.warning("block of persons too large", extra={"referral_id": item.referral_id, "code": ".".join(full)})
    person_key, found = _settle(item, results)
    warnings = [WARNING] if any(one.verdict is MatchVerdict.POSSIBLE for _, one in found) else []
    if item.likeness.record.carries_a_relatives_number:
        warnings.append(BORROWED)
    return Compared(person_key=person_key, found=found, full=tuple(full), warnings=tuple(warnings))


def _settle(
    item: Asked, results: Sequence[tuple[KnownPerson, MatchResult]]
) -> tuple[str | None, tuple[tuple[str, MatchResult], ...]]:
    """The person's key, and what is kept: of those who are SAME the first, unless one is alike in everything; of those
    who may be, the likeliest of each person."""
    same = sorted(((one, r) for one, r in results if r.verdict is MatchVerdict.SAME), key=lambda pair: pair[0].row)
    person_key = next((one.person_key for one, _ in same if one.person_key), item.person_key)
    mine = {one.person_key for one, _ in same if one.person_key}
    kept = []
    if same and all(result.kind is not MatchKind.IDENTICAL for _, result in same):
        kept.append((same[0][0].referral_id, same[0][1]))
    best: dict[str, tuple[str, MatchResult]] = {}
    for one, result in results:
        if result.verdict is not MatchVerdict.POSSIBLE or one.withdrawn or one.person_key in mine:
            continue
        whom = one.person_key or one.referral_id
        if whom not in best or result.score > best[whom][1].score:
            best[whom] = (one.referral_id, result)
    likeliest = sorted(best.values(), key=lambda pair: (-pair[1].score, pair[0]))
    return person_key, (*kept, *likeliest[:MOST_FOUND])


def write(connection: Connection, context: Context, pairs: Sequence[tuple[Asked, Compared]]) -> None:
    """Records, keys and what was found, after the referrals' own rows."""
    for now, group in _by_moment(pairs).items():
        persons.put(
            connection,
            {item.referral_id: item.likeness.record.pack() for item in group},
            ((kind, key, item.referral_id) for item in group for kind, key in item.likeness.keys),
            secret_name=secret_name(context.matching_secret),
            now=now,
        )
    persons.put_matches(connection, [row for item, done in pairs for row in match_rows(item, done)])


def _by_moment(pairs: Iterable[tuple[Asked, Compared]]) -> Mapping[datetime, list[Asked]]:
    found: dict[datetime, list[Asked]] = {}
    for item, _ in pairs:
        found.setdefault(item.now, []).append(item)
    return found


def match_rows(item: Asked, done: Compared) -> Iterator[dict[str, Any]]:
    """Rows of `possible_matches`, the same whenever they are asked for."""
    weights = load_weights()
    for other, result in done.found:
        yield {
            "match_id": match_id(item.referral_id, other),
            "referral_id": item.referral_id,
            "other_referral_id": other,
            "verdict": result.verdict.value,
            "kind": result.kind.value,
            "score": result.score,
            "waterfall": json.dumps(result.waterfall(weights).as_json(), separators=(",", ":")),
            "version": weights.version,
            "at": to_ms(item.now),
        }


def match_id(referral_id: str, other: str) -> str:
    """Two referrals are found alike once."""
    return f"match-{sha256(f'{referral_id}|{other}'.encode()).hexdigest()[:32]}"


def decision_rows(context: Context, item: Asked, done: Compared, document: str) -> Iterator[dict[str, Any]]:
    """The use of matching, and each match with the digest of its row: leaves of the log."""
    full = f" full:{','.join(dict.fromkeys(done.full))}" if done.full else ""
    common = {"at": to_ms(item.now), "who": context.party_id}
    yield {**common, "what": MATCHING_USED, "subject": item.referral_id, "why": f"P06 {document}{COMPARED}{full}"}
    for row in match_rows(item, done):
        yield {**common, "what": MATCH_FOUND, "subject": row["match_id"], "why": persons.match_digest(row)}
