"""对账单模板 The columns of a ledger, their headings, and the words a clerk may write in them.

One table for the workbook and for CSV: a heading is a column's key, its Chinese, its English, or both. Amounts are
typed in yuan. The empty template has a second sheet that explains what each column takes.
"""

from pathlib import Path
from typing import BinaryIO

from gateway.domain.values import InvalidValue
from gateway.workbook.spellings import read_day, read_yuan
from gateway.workbook.writing import Sheet, write_workbook

SHEET = "对账单 Statement"

COLUMNS: tuple[tuple[str, str, str, str], ...] = (
    ("need_id", "需求编号", "Need", "转办单上的需求编号；有编号的请务必填写 the need's number of the handoff"),
    ("handoff_id", "转办编号", "Handoff", "没有需求编号时 where the need is not known"),
    ("case_number", "案号", "Case", "司法救助案号，仅供本方核对 for your own use, not kept"),
    ("name", "姓名", "Name", "仅供本方核对，不保存 for your own use, not kept"),
    ("id_type", "证件类型", "Kind of paper", "111 身份证（默认） resident id by default"),
    ("id_number", "证件号码", "Identity number", "文本格式；只保存密钥摘要 as text; only a keyed digest is kept"),
    ("programme", "项目", "Programme", "项目代码或本部门代码，如 MLG、110 a code of the programme table or your own"),
    ("status", "状态*", "Status*", "已发放 已批准 在册 停发 退回 死亡 PAID APPROVED ACTIVE STOPPED RETURNED DECEASED"),
    ("amount_yuan", "金额（元）", "Amount (yuan)", "如 650.00"),
    ("paid_on", "发放日期", "Paid on", "如 2024-08-26"),
    ("month_from", "所属月起", "For month", "如 2024-08"),
    ("month_until", "所属月止", "Until month", "一个月的可不填 blank for one month"),
    ("payee", "领款人", "Payee", "本人 监护人 代理人 户主 其他"),
    ("account", "账号", "Account", "只保存密钥摘要 only a keyed digest is kept"),
    ("office", "承办单位", "Office", "单位编号；全表同一单位的可不填 blank where the statement is of one office"),
)
"""(key, Chinese, English, what it takes)."""

STATUS_WORDS = {
    "已发放": "PAID",
    "发放": "PAID",
    "已批准": "APPROVED",
    "批准": "APPROVED",
    "在册": "ACTIVE",
    "停发": "STOPPED",
    "退回": "RETURNED",
    "退票": "RETURNED",
    "死亡": "DECEASED",
}
PAYEE_WORDS = {"本人": "BENEFICIARY", "监护人": "GUARDIAN", "代理人": "AGENT", "户主": "HOUSEHOLD", "其他": "OTHER"}
_KEYS = {key for key, *_ in COLUMNS}


def key_of(heading: str) -> str | None:
    """The column a heading means; None for one nobody knows."""
    return _HEADINGS.get("".join(heading.split()).rstrip("*").lower())


def _spelled() -> dict[str, str]:
    found: dict[str, str] = {"amount_fen": "amount_fen"}
    for key, zh, english, _ in COLUMNS:
        zh, english = zh.rstrip("*"), english.rstrip("*")
        for text in (key, zh, english, f"{zh}*{english}", zh + english, zh.partition("（")[0]):
            found["".join(text.split()).lower()] = key
    return found


_HEADINGS = _spelled()


def fields_of(cells: dict[str, str]) -> tuple[dict[str, object], tuple[str, str] | None]:
    """A filled row as the wire has it, and the first thing that cannot be read: (pointer, code)."""
    fields: dict[str, object] = {}
    problem: tuple[str, str] | None = None
    for key, text in cells.items():
        if not text:
            continue
        try:
            name, value = _read(key, text)
            fields[name] = value
        except InvalidValue as wrong:
            problem = problem or (f"/{key}", wrong.code)
    if "id_number" in fields:
        fields.setdefault("id_type", "111")
    return fields, problem


def _read(key: str, text: str) -> tuple[str, object]:
    match key:
        case "amount_yuan":
            return "amount_fen", read_yuan(text)
        case "amount_fen":
            if not (text.isascii() and text.isdigit() and len(text) < 16):
                raise InvalidValue("not_integer")
            return key, int(text)
        case "paid_on":
            return key, read_day(text).isoformat()
        case "month_from" | "month_until":
            return key, _month(text)
        case "status":
            return key, STATUS_WORDS.get(text, text.upper())
        case "payee":
            return key, PAYEE_WORDS.get(text, text.upper())
        case _:
            return key, text


def _month(text: str) -> str:
    """2024-08, 202408, 2024/8, 2024年8月, or any day of it."""
    plain = text.strip().rstrip("月").replace("年", "-").replace("/", "-").replace(".", "-")
    if len(plain) == 6 and plain.isdigit():
        return f"{plain[:4]}-{plain[4:]}"
    year, _, month = plain.partition("-")
    if year.isdigit() and len(year) == 4 and month.isdigit() and 1 <= int(month) <= 12:
        return f"{year}-{int(month):02d}"
    return read_day(text).isoformat()[:7]


def write_statement_template(target: Path | str | BinaryIO) -> None:
    """The empty ledger with its drop-downs and explanations. MissingExtra without xlsxwriter."""
    explained = (("column", "栏目 Column"), ("takes", "填写 What it takes"))
    write_workbook(
        target,
        [
            Sheet(
                title=SHEET,
                columns=[(key, f"{zh}\n{english}") for key, zh, english, _ in COLUMNS],
                choices={"status": list(STATUS_WORDS), "payee": list(PAYEE_WORDS)},
            ),
            Sheet(
                title="填写说明 Explanation",
                columns=explained,
                rows=[{"column": f"{zh} {english}", "takes": takes} for _, zh, english, takes in COLUMNS],
                widths={"column": 30, "takes": 80},
            ),
        ],
    )
