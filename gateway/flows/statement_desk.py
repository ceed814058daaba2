"""对账单送达 A file that came to the operator on a disk: judged line by line, put where its agency signed for it.

1. judged: the whole file is read, bad lines are named by number and code; nothing is written;
2. found: the statement whose signed manifest names this very file, by length and SHA-256, for the office and month
   that were said; a manifest that comes along must name the file, office and month before it is accepted as a message;
3. brought: the file goes in as if its agency had sent it, from where a sending was cut off; the worker reads it.
Nobody but its agency signs for a statement: a file without a manifest is of nobody, whoever carries it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.domain.agreement import Office
from gateway.domain.lifecycle import StatementState
from gateway.domain.statement import Statement
from gateway.errors import FieldProblem, SchemaInvalid, StatementDiffers
from gateway.flows.accept import accept
from gateway.flows.context import Context
from gateway.flows.prove import prove
from gateway.flows.statement import SUBMITTED
from gateway.flows.statement_intake import MOST_PIECE, digest_of, look, on_disk, take
from gateway.store import statements
from gateway.workbook.statement_file import LedgerLine, read_ledger


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A file that was read to its end. bad: the first bad lines; bad_count: all of them."""

    path: Path
    form: str
    lines: int
    bad: tuple[LedgerLine, ...]
    bad_count: int
    sha256: str
    size: int


def judge(path: Path, form: str, *, most_bad: int) -> Judged:
    """Every line of the file. Raises FileUnreadable."""
    chunks, count, bad = on_disk(path), 0, 0
    kept: list[LedgerLine] = []
    for line in read_ledger(chunks(), form):
        count += 1
        if line.problem is not None:
            bad += 1
            kept += [line] if bad <= most_bad else []
    digest, size = digest_of(chunks())
    return Judged(path=path, form=form, lines=count, bad=tuple(kept), bad_count=bad, sha256=digest, size=size)


def find_for(
    context: Context, judged: Judged, office: Office, month: str, manifest: bytes | None, *, now: datetime
) -> Statement:
    """The statement that was signed for this file. Raises StatementDiffers where there is none, and whatever refuses
    the manifest."""
    if manifest is not None:
        _require_own(context, judged, office, month, manifest, now)
        accept(manifest, context, now=now)
    with context.store.reading() as connection:
        named = statements.of_file(connection, judged.sha256)
        fitting = [one for one in named if one.size == judged.size and _fits(_said(one), office, month)]
        waiting = [one for one in fitting if statements.progress(connection, one.row).state is _WAITS]
    if not fitting:
        raise StatementDiffers("manifest_missing" if not named else "another_office_or_month")
    return (waiting or fitting)[-1]


_WAITS = StatementState.AWAITING_LINES


def bring(context: Context, judged: Judged, statement: Statement, *, now: datetime) -> bool:
    """The file goes in, piece by piece; False where it was there already. Raises StatementMisplaced."""
    _, seen = look(context, statement.party, statement.statement_id)
    if seen.state is not _WAITS:
        return False
    with judged.path.open("rb") as stream:
        stream.seek(seen.received)
        for at in range(seen.received, judged.size, MOST_PIECE):
            take(context, statement.party, statement.statement_id, at, stream.read(MOST_PIECE), now=now)
    return True


def _require_own(context: Context, judged: Judged, office: Office, month: str, manifest: bytes, now: datetime) -> None:
    """Before anything is written: a manifest of another file, office or month would leave a statement without lines."""
    message = prove(manifest, context, now=now)
    data = message.envelope.data
    if message.envelope.type != SUBMITTED or not isinstance(data, dict):
        raise SchemaInvalid(problems=[FieldProblem(pointer="/manifest", code="invalid")])
    if (data.get("sha256"), data.get("size")) != (judged.sha256, judged.size):
        raise StatementDiffers("sha256")
    if not _fits({**data, "party": message.party_id}, office, month):
        raise StatementDiffers("another_office_or_month")


def _said(statement: Statement) -> Mapping[str, Any]:
    return {
        "party": statement.party,
        "agency": statement.agency,
        "office": statement.office_id,
        "region": statement.region,
        "period_from": statement.period_from,
        "period_to": statement.period_to,
    }


def _fits(said: Mapping[str, Any], office: Office, month: str) -> bool:
    """Whether a statement is of this office, or of several among which it is, and of this month."""
    same = (said.get("party"), said.get("agency")) == (office.party_id, office.agency)
    of_office = said.get("office") in (None, office.office_id) and said.get("region") in (None, office.region)
    return same and of_office and str(said.get("period_from")) <= month <= str(said.get("period_to"))
