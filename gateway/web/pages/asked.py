"""所填 What people type into the consoles' forms and addresses, read strictly: moments, and places of a list.

Rules: a moment without a zone is China's; what cannot be read is told by its field and code, never guessed. Of a search
ids and codes go on file and nothing else: into any field somebody may type a name or a number.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from gateway.domain.calendar import CHINA
from gateway.errors import FieldProblem, InvalidQuery
from gateway.web.access_log import is_code

_YEARS = range(2000, 2200)
_DIGITS = 15


def moment_of(text: str, field: str) -> datetime:
    """A day or a moment of ISO 8601. Raises InvalidQuery."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise _wrong(field, "not_a_moment") from error
    if found.year not in _YEARS:
        raise _wrong(field, "out_of_range")
    return found if found.tzinfo is not None else found.replace(tzinfo=CHINA)


def row_of(text: str, field: str = "before", *, digits: int = _DIGITS) -> int | None:
    """The row a page begins beside; None where none is named. digits: as many as its column holds. Raises
    InvalidQuery."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= digits):
        raise _wrong(field, "out_of_range")
    return int(text)


def reason_of(text: str) -> str:
    """Why somebody does something, which is kept. Raises InvalidQuery for nothing."""
    if not text.strip():
        raise _wrong("why", "required")
    return text.strip()


def as_kept(asked: Mapping[str, str], *, unsaid: Collection[str] = ()) -> str:
    """A search as it goes on file: of what is no id or code, and of `unsaid`, only that it was asked."""
    given = {name: value for name, value in asked.items() if value}
    return " ".join(
        f"{name}={value}" if name not in unsaid and _is_kept(name, value) else name for name, value in given.items()
    )


def _is_kept(name: str, value: str) -> bool:
    """A statement is named by its id and its party, with an @ between."""
    parts = value.split("@", 1) if name == "statement" else [value]
    return all(is_code(part) for part in parts)


def _wrong(field: str, code: str) -> InvalidQuery:
    return InvalidQuery(problems=[FieldProblem(pointer=f"/{field}", code=code)])
