"""显示 How pages write money, moments, codes and people, in both languages.

Rules: days and times are China's; money is yuan with separators; an identity number shows its first four and last four
places and a name its first character, wherever nobody gave a reason to see more; a code is shown by its word of the
tables, with the code itself beside it only where an outside program would need it.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from flask import Flask, g, request
from markupsafe import Markup

from gateway.domain import values
from gateway.domain.access import Desk as Sort
from gateway.domain.access import Right
from gateway.domain.calendar import CHINA, due_text
from gateway.domain.field_codes import load_field_codes
from gateway.domain.programmes import load_programmes
from gateway.domain.reconciliation.explain import rules
from gateway.domain.regions import load_regions
from gateway.domain.rules import read_table
from gateway.errors import FieldProblem, XianjieError
from gateway.web.pages import said
from gateway.web.pages.routes import CSRF, PASSWORD_AGAIN, chosen_language
from gateway.web.pages.visit import LETTERS

_SHORTEST_ID = 10


def t(zh: str, en: str) -> str:
    """One text in the reader's language."""
    return en if chosen_language() == "en" else zh


@cache
def _words() -> Mapping[tuple[str, str], tuple[str, str]]:
    found = {(row["kind"], row["code"]): (row["zh"], row["en"]) for row in read_table("words")}
    found |= {("agency", row["agency"]): (row["zh"], row["english"]) for row in read_table("agencies")}
    found |= {("case_type", row["code_name"]): (row["name_zh"], row["english"]) for row in read_table("case_types")}
    found |= {("disposition", row["code"]): (row["zh"], row["en"]) for row in read_table("dispositions")}
    found |= {("evidence", row["member"]): (row["zh"], row["en"]) for row in read_table("evidence_words")}
    found |= {("role", row["role"]): (row["zh"], row["en"]) for row in read_table("roles")}
    found |= {("programme", code): (one.name_zh, one.english) for code, one in load_programmes().items()}
    return found


def word(code: Any, kind: str) -> str:
    """The word for a code: `'assisted'|word('need')`; the code itself where no table has it."""
    if code is None or code == "":
        return ""
    found = _words().get((kind, str(code)))
    return str(code) if found is None else t(*found)


def rule_text(code: str) -> str:
    """What a rule that holds a need says; of a hold that is no rule's, its word."""
    row = rules().get(code)
    return word(code, "hold") if row is None else t(row["zh"], row["en"])


def words(kind: str) -> list[tuple[str, str]]:
    """(code, word) of one kind in the table's order, for a list to choose from."""
    return [(code, t(*texts)) for (of, code), texts in _words().items() if of == kind]


def worded(codes: Iterable[str], kind: str) -> list[tuple[str, str]]:
    """(code, word) of these codes, for a list to choose from."""
    return [(str(code), word(code, kind)) for code in codes]


def region(code: str | None) -> str:
    """A region's name, else its code."""
    if not code:
        return ""
    found = load_regions().get(code)
    return code if found is None else found.name_zh


def yuan(fen: int | None) -> str:
    """1234567 → 12,345.67"""
    return "" if fen is None else values.yuan(fen)


def number(value: int | None) -> str:
    """1234567 → 1,234,567"""
    return "" if value is None else f"{value:,}"


def day(value: date | datetime | None) -> str:
    """2024-08-01, in China."""
    if value is None:
        return ""
    return (value.astimezone(CHINA) if isinstance(value, datetime) else value).strftime("%Y-%m-%d")


def moment(value: datetime | None) -> str:
    """2024-08-01 09:30, in China."""
    return "" if value is None else value.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")


def mask_number(text: str | None) -> str:
    """520102199001011234 → 5201**********1234; a short one shows nothing but its length."""
    if not text:
        return ""
    return values.mask_id(text) if len(text) >= _SHORTEST_ID else "*" * len(text)


def mask_name(text: str | None) -> str:
    """张小明 → 张**."""
    return "" if not text else text[0] + "*" * max(1, len(text) - 1)


def problem_text(problem: FieldProblem) -> str:
    """What is wrong with a field and how to mend it."""
    return code_text(problem.code)


def code_text(code: str) -> str:
    """What a field's code says is wrong and how to mend it; the code itself where no table has it."""
    known = load_field_codes().get(code)
    return code if known is None else t(f"{known.zh}；{known.fix_zh}", f"{known.en}. {known.fix_en}")


def refusal_text(error: XianjieError) -> tuple[str, str]:
    """(title, what to do with a browser) of an error in the reader's language."""
    at = 0 if chosen_language() == "zh" else 1
    return error.title[at], error.page_step[at]


def tag(text: str, sort: str = "") -> Markup:
    """A small label; sort: good, bad, wait, or nothing."""
    shown = sort if sort in ("good", "bad", "wait") else ""
    return Markup('<span class="tag {}">{}</span>').format(shown, text)


def csrf_field() -> Markup:
    """The hidden field every form carries."""
    session = g.get("session")
    token = session.csrf if session is not None else g.get("form_token", "")
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF, token)


def other_page(**changes: Any) -> str:
    """This address with some members of the query changed or, where empty, taken out."""
    kept: dict[str, Any] = dict(request.args.items(multi=False)) | changes
    kept.pop("said", None)
    kept.pop("n", None)
    asked = urlencode({key: value for key, value in kept.items() if value not in (None, "")})
    return f"{request.path}?{asked}" if asked else request.path


def said_now() -> str | None:
    """What the last form did."""
    found = said.sentence(request.args.get("said"), request.args.get("n"))
    return None if found is None else t(*found)


Entry = tuple[str, Right | None, str, str]

NAVIGATION: dict[Sort, list[Entry]] = {
    Sort.CONSOLE: [
        ("/console", Right.SEE_COUNTS, "今日", "Today"),
        ("/console/referrals", Right.SEE_CASES, "移送", "Referrals"),
        ("/console/findings", Right.SEE_CASES, "对账日志", "Reconciliation"),
        ("/console/matches", Right.SEE_CASES, "匹配复核", "Adjudication"),
        ("/console/delivery", Right.SEE_COUNTS, "投递", "Delivery"),
        ("/console/statements", Right.SEE_STATEMENTS, "对账单", "Statements"),
        ("/console/reports", Right.SEE_REPORTS, "报表", "Reports"),
        ("/console/log", Right.SEE_LOG, "存证", "Evidence"),
        ("/console/parties", Right.SEE_PARTIES, "主体与密钥", "Parties and keys"),
        ("/console/diagnostics", Right.DIAGNOSE, "诊断", "Diagnostics"),
        ("/console/accounts", Right.MANAGE_ACCOUNTS, "账号", "Accounts"),
        ("/console/approvals", None, "双人审批", "Approvals"),
    ],
    Sort.AGENCY: [
        ("/agency", Right.AGENCY_WORK, "收件箱", "Inbox"),
        (LETTERS, Right.AGENCY_WORK, "催办与其他来件", "Reminders and letters"),
        ("/agency/sheets", Right.AGENCY_WORK, "办理表", "Sheets"),
        ("/agency/statements", Right.AGENCY_WORK, "对账单", "Statements"),
        ("/agency/reservations", Right.AGENCY_WORK, "占位核对", "Reservation check"),
        ("/agency/clues", Right.AGENCY_WORK, "线索", "Clues"),
    ],
    Sort.COURT: [
        ("/court", Right.COURT_WORK, "移送", "Referrals"),
        ("/court/new", Right.COURT_WORK, "录入移送", "New referral"),
        ("/court/import", Right.COURT_WORK, "导入", "Import"),
        ("/court/notices", Right.COURT_WORK, "匹配、协查与线索", "Matches, inquiries, clues"),
        ("/court/balance", Right.COURT_WORK, "平衡表", "Balance"),
    ],
}
"""Address, right, Chinese, English: what the head of every page leads to."""


def entries(account: Any) -> list[tuple[str, str, bool]]:
    """(address, name, whether it is here) of what this account may open."""
    here = request.path
    found = [one for one in NAVIGATION[account.row.desk] if one[1] is None or account.may(one[1])]
    owners = [path for path, *_ in found if here == path or here.startswith(f"{path}/")]
    nearest = max(owners, key=len, default="")
    return [(path, t(zh, en), path == nearest) for path, _, zh, en in found]


def nonce() -> str:
    """What this answer's script carries and its policy names: made where a page asks, not for what programs ask."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    found: str = g.nonce
    return found


def home(account: Any) -> str:
    """Where somebody's work begins: the first page he may open."""
    return entries(account)[0][0]


def install(site: Flask) -> None:
    """Puts all of it where templates find it."""
    filters: Iterable[Callable[..., Any]] = (
        word,
        region,
        yuan,
        number,
        day,
        moment,
        due_text,
        mask_number,
        mask_name,
        problem_text,
        refusal_text,
        tag,
    )
    site.jinja_env.filters.update({one.__name__: one for one in filters})
    site.jinja_env.globals.update(
        t=t,
        words=words,
        csrf_field=csrf_field,
        other_page=other_page,
        said_now=said_now,
        entries=entries,
        home=home,
        language=chosen_language,
        PASSWORD_AGAIN=PASSWORD_AGAIN,
        Right=Right,
        nonce=nonce,
    )
    site.jinja_env.trim_blocks = site.jinja_env.lstrip_blocks = True
