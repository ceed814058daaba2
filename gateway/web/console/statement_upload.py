"""对账单上传 A file for an office and month: judged in a folder that is always removed, taken for who signed for it.

Rules: nothing is written before the whole file was read and its statement found; bad lines stop it unless somebody says
otherwise; whoever brings a file is on file before it goes in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import request

from gateway.domain.agreement import Office
from gateway.domain.calendar import china_day
from gateway.domain.statement import Statement
from gateway.errors import (
    FieldProblem,
    FileUnreadable,
    InvalidQuery,
    MessageError,
    SchemaInvalid,
    StatementDiffers,
    TrustError,
    XianjieError,
)
from gateway.flows.statement_desk import Judged, bring, find_for, judge
from gateway.store.statements import subject_of
from gateway.web.pages.said import tells
from gateway.web.pages.shown import code_text, t
from gateway.web.pages.visit import Visit
from gateway.workbook.statement_columns import COLUMNS

BROUGHT = "statement_brought"
TAKEN = tells(
    "statement_taken",
    "文件与签名首部一致，已收齐，正在读取。",
    "The file is the one that was signed for; it is being read.",
)
TAKEN_BEFORE = tells(
    "statement_taken_before", "该文件此前已收齐，未重复接收。", "The file was here before; nothing was taken twice."
)
MOST_BYTES = 15 * 2**20
"""Below what a request may hold."""
MOST_MANIFEST = 256 * 1024
SHOWN = 100
FORMS = {"csv": "CSV", "xlsx": "XLSX", "ndjson": "NDJSON", "jsonl": "NDJSON"}
FIELDS = ("office", "month", "step", "with_bad")
_MONTH = re.compile(r"([0-9]{4})[-/.年]?(0?[1-9]|1[0-2])月?")


@dataclass(kw_only=True)
class Upload:
    """What was typed, and what became of it."""

    values: Mapping[str, str]
    judged: Judged | None = None
    bad: tuple[tuple[int, str, str, str], ...] = ()
    refused: XianjieError | None = None
    said: str = TAKEN

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")


def typed(visit: Visit) -> Mapping[str, str]:
    """The form's own fields."""
    return {name: visit.text(name, 100) for name in FIELDS}


def beginning(visit: Visit) -> Mapping[str, str]:
    """The month before this one."""
    today = china_day(visit.now)
    return {"month": f"{today.year - (today.month == 1)}-{(today.month - 2) % 12 + 1:02d}"}


def taken(visit: Visit, upload: Upload, offices: Mapping[str, Office]) -> Statement | None:
    """The statement the file went to; None where it was only looked at, or refused, as `upload` then says."""
    try:
        with TemporaryDirectory(prefix="xianjie-upload-") as folder:
            return _taken(visit, upload, offices, Path(folder))
    except TrustError:  # what is wrong with a signature stands in the log alone
        upload.refused = TrustError()
    except MessageError as error:
        upload.refused = _explained(error)
    return None


def _taken(visit: Visit, upload: Upload, offices: Mapping[str, Office], folder: Path) -> Statement | None:
    upload.judged = judged = judge(*_kept(folder), most_bad=SHOWN)
    upload.bad = tuple(
        (line.number, column_of(line.problem[0]), code_text(line.problem[1]), line.problem[1])
        for line in judged.bad
        if line.problem is not None
    )
    if upload["step"] != "take":
        return None
    office, month = _place(upload, offices)
    if judged.bad_count and upload["with_bad"] != "1":
        raise SchemaInvalid(t("文件有问题行，未接收", "lines are bad: nothing was taken"))
    statement = find_for(visit.context, judged, office, month, _manifest(), now=visit.now)
    visit.log(BROUGHT, subject_of(statement), f"sha256 {judged.sha256} office {office.office_id} month {month}")
    if not bring(visit.context, judged, statement, now=visit.now):
        upload.said = TAKEN_BEFORE
    return statement


def _kept(folder: Path) -> tuple[Path, str]:
    """The uploaded file in the folder, and its form. Raises FileUnreadable."""
    given = request.files.get("file")
    if given is None or not given.filename:
        raise FileUnreadable(t("没有选择文件", "no file was chosen"))
    form = FORMS.get(given.filename.rpartition(".")[2].lower())
    if form is None:
        raise FileUnreadable(t("只接受 CSV、XLSX、NDJSON", "only CSV, XLSX and NDJSON"))
    path = folder / "ledger"
    given.save(path)
    if path.stat().st_size > MOST_BYTES:
        raise FileUnreadable(t("文件超过本页上限", "larger than this page takes"))
    return path, form


def _place(upload: Upload, offices: Mapping[str, Office]) -> tuple[Office, str]:
    """Raises InvalidQuery for an office nobody here sees and for a month that is none."""
    office, month = offices.get(upload["office"]), _MONTH.fullmatch(upload["month"])
    wrong = [FieldProblem(pointer="/office", code="unknown_code" if upload["office"] else "required")]
    problems = [
        *(wrong if office is None else []),
        *([] if month else [FieldProblem(pointer="/month", code="pattern")]),
    ]
    if office is None or month is None:
        raise InvalidQuery(problems=problems)
    return office, f"{month[1]}-{int(month[2]):02d}"


def _manifest() -> bytes | None:
    """The signed manifest that came along."""
    given = request.files.get("manifest")
    if given is None or not given.filename:
        return None
    raw = given.stream.read(MOST_MANIFEST + 1)
    if len(raw) > MOST_MANIFEST:
        raise SchemaInvalid(problems=[FieldProblem(pointer="/manifest", code="too_large")])
    return raw.strip()


_WHY: Mapping[str, tuple[str, str]] = {
    "manifest_missing": (
        "没有签名首部指明这一文件：请一并上传部门签名的首部，或由部门报送",
        "no signed manifest names this file: add the one its agency signed, or let the agency send it",
    ),
    "another_office_or_month": (
        "签名首部不是这一承办单位或这一月份的",
        "what was signed is of another office or month",
    ),
    "sha256": ("签名首部指明的是另一文件", "the manifest names another file"),
}


def _explained(error: MessageError) -> XianjieError:
    """With its reason in words."""
    if isinstance(error, StatementDiffers) and error.note in _WHY:
        return StatementDiffers(t(*_WHY[error.note]), ids=error.ids)
    return error


def column_of(pointer: str) -> str:
    """The column a pointer means, as the template has it."""
    key = pointer.rpartition("/")[2]
    return next((t(zh, english).rstrip("*") for name, zh, english, _ in COLUMNS if name == key), key)
