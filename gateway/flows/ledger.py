"""旧台账导入 Aid that courts, procuratorates and police granted before the gateway, so that D01 sees it for ever.

1. only under an agreement in force that authorises matching (P06), by somebody who says who he is and why;
2. each line is read by itself: a bad one costs itself only, one that is there already is counted and not kept twice;
3. kept are keyed person keys, case numbers, days and amounts; name and number only sealed with the ledger's own key;
4. in one commit: ledger, lines, numbers stated together, the persons' referrals marked, and a decision whose leaf
   covers the file's SHA-256, the counts and the root over all lines. The same file again changes nothing.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import AgreementProfile
from gateway.domain.calendar import china_day
from gateway.domain.coexistence import JUDICIAL
from gateway.domain.identifiers import IdType
from gateway.domain.original_case import numbers_of
from gateway.domain.reconciliation.same_inputs import case_number_text
from gateway.errors import AgreementUnknown, ConfigError
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.matching.identity import identity_key
from gateway.matching.keyed import secret_name
from gateway.store import decisions, ledgers, same_help
from gateway.store.clock import to_ms
from gateway.store.ledgers import Place
from gateway.store.vault import CaseKeys
from gateway.workbook.ledger_file import OldLine, read_old_ledger, texts

WHAT = "ledger_imported"
IMPORTED, REPEATED = "imported", "already_there"


@dataclass(frozen=True, kw_only=True, slots=True)
class LineOutcome:
    """What became of one line: `imported`, `already_there`, or the code of what is wrong with the field."""

    number: int
    code: str
    field: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """旧台账导入结果. is_new False: this very file was there, and nothing changed."""

    ledger_id: str
    is_new: bool
    imported: int
    repeated: int
    refused: int
    outcomes: tuple[LineOutcome, ...] = ()


def import_ledger(
    context: Context, raw: bytes, name: str, *, document: str, who: str, why: str, now: datetime
) -> Imported:
    """One file. Raises AgreementUnknown, ConfigError, FileUnreadable, MissingExtra."""
    require_reason(who, why)
    profile = _agreement(context, document, now)
    digest = sha256(raw).hexdigest()
    with context.store.reading() as connection:
        there = ledgers.by_digest(connection, digest)
    if there is not None:
        return _again(there)
    lines = [_checked(line, context, now) for line in read_old_ledger(raw, name)]
    return context.store.write(lambda connection: _put(connection, context, lines, digest, profile, who, why, now))


def _agreement(context: Context, document: str, now: datetime) -> AgreementProfile:
    found = context.snapshot(now).agreement_for(document)
    if found is None or not found[1].is_valid_on(china_day(now)):
        raise AgreementUnknown("not in force", ids={"document": document})
    if not found[1].matching_authorised:
        raise ConfigError("P06: this agreement does not authorise matching", ids={"document": document})
    return found[1]


def _again(there: ledgers.KeptLedger) -> Imported:
    return Imported(
        ledger_id=there.ledger_id,
        is_new=False,
        imported=there.imported,
        repeated=there.repeated,
        refused=there.refused,
    )


Keyed = tuple[OldLine, str | None]
"""A line and the key of its person."""


def _checked(line: OldLine, context: Context, now: datetime) -> Keyed:
    if line.problem is not None:
        return line, None
    said = texts(line.fields, ("id_type", "id_number", "decided_on", "programme"))
    key = identity_key(
        said["id_type"] or IdType.RESIDENT_ID,
        said["id_number"],
        secret=context.matching_secret,
        regions=context.regions,
    )
    if key is None:
        return OldLine(number=line.number, fields={}, problem=("id_number", "id_number_unusable")), None
    if said["decided_on"] > china_day(now).isoformat():
        return OldLine(number=line.number, fields={}, problem=("decided_on", "day_in_future")), None
    if said["programme"] and said["programme"] not in {*context.programmes, JUDICIAL}:
        return OldLine(number=line.number, fields={}, problem=("programme", "unknown_code")), None
    return line, key


def _put(
    connection: Connection,
    context: Context,
    lines: Sequence[Keyed],
    digest: str,
    profile: AgreementProfile,
    who: str,
    why: str,
    now: datetime,
) -> Imported:
    there = ledgers.by_digest(connection, digest)
    if there is not None:
        return _again(there)
    ledger_id = f"ledger-{digest[:24]}"
    fresh, outcomes = _fresh(connection, lines)
    keys = CaseKeys.for_writing(connection, [ledger_id], now=now)
    rows = [_row(ledger_id, line, key, keys, context) for line, key in fresh]
    root = ledgers.root_of(row["digest"] for row in rows)
    counts = Counter(one.code if one.code in (IMPORTED, REPEATED) else "refused" for one in outcomes)
    made = Imported(
        ledger_id=ledger_id,
        is_new=True,
        imported=counts[IMPORTED],
        repeated=counts[REPEATED],
        refused=counts["refused"],
        outcomes=tuple(outcomes),
    )
    decision_id = decisions.put(
        connection,
        who=who,
        what=WHAT,
        subject=ledger_id,
        why=covered(digest, made, root, profile.document, why),
        now=now,
    )
    kept = {"ledger_id": ledger_id, "sha256": digest, "document": profile.document, "root": root, "at": to_ms(now)}
    counted = {"imported": made.imported, "repeated": made.repeated, "refused": made.refused}
    ledgers.put(connection, {**kept, **counted, "decision_id": decision_id}, rows)
    same_help.put_links(connection, list(link_rows(rows)))
    ledgers.mark_persons(connection, {row["person_key"] for row in rows}, at=to_ms(now))
    return made


def covered(digest: str, made: Imported, root: str, document: str, why: str) -> str:
    """What the decision says, and so its leaf."""
    counts = f"{made.imported}/{made.repeated}/{made.refused}"
    return f"sha256={digest} lines={counts} root={root} {document} {why}"


def _fresh(connection: Connection, lines: Sequence[Keyed]) -> tuple[list[tuple[OldLine, str]], list[LineOutcome]]:
    places = {_place(line, key) for line, key in lines if key is not None}
    taken = ledgers.on_file(connection, places)
    fresh, outcomes = [], []
    for line, key in lines:
        if key is None:
            field, code = line.problem or ("", "malformed_line")
            outcomes.append(LineOutcome(number=line.number, code=code, field=field))
            continue
        place = _place(line, key)
        if place not in taken:
            fresh.append((line, key))
        outcomes.append(LineOutcome(number=line.number, code=REPEATED if place in taken else IMPORTED))
        taken.add(place)
    return fresh, outcomes


def _place(line: OldLine, key: str) -> Place:
    said = texts(line.fields, ("organ", "programme", "case_number"))
    return said["organ"], said["programme"] or JUDICIAL, case_number_text(said["case_number"]), key


def _row(ledger_id: str, line: OldLine, key: str, keys: CaseKeys, context: Context) -> dict[str, Any]:
    organ, programme, case_number, _ = _place(line, key)
    line_id = f"{ledger_id}:{line.number}"
    said = texts(line.fields, ("original_cases", "organ_kind", "decided_on", "joint_id"))
    person = json.dumps(texts(line.fields, ("name", "id_type", "id_number")), ensure_ascii=False, sort_keys=True)
    row = {
        "line_id": line_id,
        "ledger_id": ledger_id,
        "number": line.number,
        "organ": organ,
        "organ_kind": said["organ_kind"],
        "programme": programme,
        "case_number": case_number,
        "original_cases": ledgers.SEPARATOR.join(numbers_of(said["original_cases"])),
        "person_key": key,
        "secret_name": secret_name(context.matching_secret),
        "decided_on": said["decided_on"],
        "amount_fen": line.fields["amount_yuan"],
        "joint_id": said["joint_id"] or None,
        "person": keys.seal(ledger_id, sealed_as(line_id), person),
    }
    return row | {"digest": ledgers.line_digest(row)}


def sealed_as(line_id: str) -> str:
    """What a line's sealed text is bound to."""
    return f"ledger_person:{line_id}"


def link_rows(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """The numbers each line states to be one matter; they rest on the line, not on a message."""
    for row in rows:
        for number in row["original_cases"].split(ledgers.SEPARATOR):
            if number:
                yield {"message_id": None, "court": None, "stated_by": row["line_id"], "number": number}
