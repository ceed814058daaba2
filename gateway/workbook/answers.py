"""办理表的往返 What a sheet of handoffs carries to be answered exactly, and when a filled row may be sent.

The command line and the portal work by this alike: the grey part names each message by id and digest (Law 4); a row
without them answers nothing; the same row is the same answer for ever, another row is another; a denial without its
reasons is stopped before anybody sends it (rule R09).
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, BinaryIO

from gateway.domain.handoff import SentHandoff
from gateway.errors import DeniedWithoutReason, FieldProblem
from gateway.ports import Adapter
from gateway.workbook.sheets import IDENTITY_KEYS, ReplyRow, write_handoff_sheet

PROOF = (
    ("message_id", "报文编号\nMessage"),
    ("message_digest", "报文摘要\nDigest"),
    ("referral_id", "移送编号\nReferral"),
)
PROOF_KEYS = tuple(key for key, _ in PROOF)
NAMED = (*IDENTITY_KEYS, *PROOF_KEYS)
"""Without these nobody could tell what a row answers."""


def proof_cells(message_id: str, digest: str, referral_id: str | None) -> dict[str, str]:
    """The cells that name what a row answers."""
    return {"message_id": message_id, "message_digest": digest, "referral_id": referral_id or ""}


def write_office_sheet(target: Any | BinaryIO, adapter: Adapter, rows: Iterable[Mapping[str, str]]) -> None:
    """The sheet an office works in; rows: the adapter's with their proof cells."""
    write_handoff_sheet(target, [*adapter.sheet_columns(), *PROOF], rows, agency=adapter.agency)


def row_problems(row: ReplyRow) -> list[tuple[str, str, str]]:
    """(field, code, note) of what keeps a row from being sent."""
    blank = [key for key in NAMED if not row.cells[key]]
    return [
        *((one.column, one.code, one.note) for one in row.problems),
        *((key, "required", "") for key in blank),
    ]


def judged(adapter: Adapter, cells: Mapping[str, str], sent: SentHandoff) -> Any:
    """The answer in the agency's own format, as the gateway will take it. Raises MessageError, its pointers those of
    the columns where they can be."""
    body = adapter.sheet_reply(cells)
    judge(adapter, body, cells, sent)
    return body


def judge(adapter: Adapter, body: Any, cells: Mapping[str, str], sent: SentHandoff) -> None:
    """Raises what the gateway would refuse the body with; a denial without reasons names the blank columns."""
    try:
        adapter.interpret(body, sent)
    except DeniedWithoutReason as error:
        raise DeniedWithoutReason(problems=blank_reasons(cells)) from error


def blank_reasons(cells: Mapping[str, str]) -> Sequence[FieldProblem]:
    """The columns a denial lacks."""
    return [FieldProblem(pointer=f"/{key}", code="required") for key in ("reason", "text") if not cells.get(key)]


def effect_of(cells: Mapping[str, str]) -> str:
    """The same answer to the same need is the same for ever; another answer is another."""
    content = sha256(repr(sorted(cells.items())).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"sheet:{cells['handoff_id']}:{cells['need_id']}:{content}"
