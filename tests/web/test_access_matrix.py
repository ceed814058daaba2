"""访问矩阵 Every page for every role: what the table does not grant is refused, and what is another's is not there.

`access_matrix.csv` has one row for each method of each page (method, rule, right): a page without a row fails, a row
without a page fails, and a row must say the right the page asks for. `public` is for who is not signed in, `signed_in`
for everybody who is. A placeholder of a rule has a line in `PLACEHOLDERS`.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from gateway.domain.access import Right, Role, load_roles
from gateway.web.console.finding_filter import name_of_key
from gateway.web.pages.routes import ANYBODY, NEEDS
from tests.gateway_world import CIVIL_AFFAIRS, COURT
from tests.web.access_stage import FAR, SCOPED, Stage, staged
from tests.web.people import Somebody

TABLE = Path(__file__).with_name("access_matrix.csv")
PAGES = ("/console", "/agency", "/court", "/account", "/sign-in", "/sign-out", "/language")
PUBLIC = "public"
NOBODY_THERE = "nobody-there"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method of one page, and what it needs."""

    method: str
    rule: str
    right: str

    @property
    def desk(self) -> str:
        """The first part of the address."""
        return self.rule.split("/")[1]

    def granted(self, role: Role) -> bool:
        """Whether the role may."""
        return self.right == ANYBODY or Right(self.right) in load_roles()[role].rights


def table() -> list[Row]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


ROWS = table()
GUARDED = [row for row in ROWS if row.right != PUBLIC]
NAMED = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")


@dataclass(frozen=True, kw_only=True)
class Placeholder:
    """What stands for `name` in rules that begin with `prefix`: inside and outside of a scoped role's part. Keys of
    `Stage.ids`, or the ids themselves; outside is None where nobody's part is less than all of it."""

    prefix: str
    name: str
    inside: str
    outside: str | None = None


PLACEHOLDERS = [
    Placeholder(prefix="/", name="referral_id", inside="r-1", outside="r-2"),
    Placeholder(prefix="/", name="handoff_id", inside="handoff of r-1", outside="handoff of r-2"),
    Placeholder(prefix="/", name="match_id", inside="match of r-3", outside="match of r-4"),
    Placeholder(prefix="/", name="clue_id", inside="k-1", outside="k-2"),
    Placeholder(prefix="/", name="message_id", inside="message of r-1", outside="message of r-2"),
    Placeholder(prefix="/", name="statement_id", inside="s-1", outside="s-2"),
    Placeholder(prefix="/", name="reservation_id", inside="v-1", outside="v-2"),
    Placeholder(prefix="/", name="office_id", inside=CIVIL_AFFAIRS, outside=FAR),
    Placeholder(
        prefix="/agency/letters",
        name="message_id",
        inside="inquiry.forwarded to civil_affairs-520102",
        outside="inquiry.forwarded to civil_affairs-520302",
    ),
    *(
        Placeholder(
            prefix=f"/agency/letters/<message_id>/{act}",
            name="message_id",
            inside="match.notice to civil_affairs-520102",
            outside="match.notice to cn/court/520300",
        )
        for act in ("appeal", "match")
    ),
    Placeholder(prefix="/console/accounts", name="name", inside="auditor"),
    Placeholder(prefix="/console", name="approval_id", inside="approval"),
    Placeholder(prefix="/console/findings", name="name", inside="finding of r-1", outside="finding of r-4"),
    Placeholder(prefix="/console/parties", name="named", inside=COURT.replace("/", "~")),
    Placeholder(prefix="/console/parties", name="office_id", inside=CIVIL_AFFAIRS),
    Placeholder(prefix="/console/parties", name="kid", inside="key"),
    Placeholder(prefix="/court/referrals", name="path", inside="payment"),
]
SIDE_BY_SIDE = {
    "/console/parties/<named>/offices/<office_id>/example": {"named": "cn~agency~civil_affairs.520102"},
    "/console/parties/<named>/offices/<office_id>/test": {"named": "cn~agency~civil_affairs.520102"},
}
"""Rules with two placeholders that belong together."""
FILLED = {
    "/agency/handoffs/<handoff_id>/answer": {"need_id": "r-1:1"},
    "/console/approvals/<approval_id>": {"why": "测试", "verdict": "refuse"},
    "/court/notices/matches/<match_id>": {"side": "B"},
    "/court/notices/matches/<match_id>/appeal": {"side": "B"},
}
"""What a form must hold for its page to ask whose it is."""
NOT_EVERYBODYS = {
    "/sign-out": "ends the session the other tests need",
    "/console/approvals/<approval_id>": "what is asked for says whose it is to grant (`flows.approve`)",
}
"""Forms that are not tried on what is one's own."""


def placeholder(rule: str, name: str) -> Placeholder:
    """The most particular line. Raises LookupError for a placeholder nobody said an id for."""
    found = [one for one in PLACEHOLDERS if one.name == name and rule.startswith(one.prefix)]
    if not found:
        raise LookupError(f"say in PLACEHOLDERS what <{name}> of {rule} is")
    return max(found, key=lambda one: len(one.prefix))


def address(stage: Stage, rule: str, *, inside: bool) -> str | None:
    """Of one's own, or of another's; None where nothing of the rule is anybody's."""
    outside = False

    def one(found: re.Match[str]) -> str:
        nonlocal outside
        line = placeholder(rule, found[1])
        value = SIDE_BY_SIDE.get(rule, {}).get(found[1], line.inside)
        if not inside and line.outside is not None:
            value, outside = line.outside, True
        value = stage.ids.get(value, value)
        return quote(name_of_key(value) if "|" in value else value, safe="")

    path = NAMED.sub(one, rule)
    return path if inside or outside else None


def nowhere(rule: str) -> str:
    """Of nobody's."""
    return NAMED.sub(NOBODY_THERE, rule)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Made once: forms here are empty, and what an empty one does nothing else asks about."""
    with staged(f"sqlite:///{tmp_path_factory.mktemp('access') / 'xianjie.sqlite'}") as made:
        yield made


def ask(person: Somebody, row: Row, path: str, **form: str) -> TestResponse:
    """The page, or its form with nothing in it but the tokens and the password."""
    return (
        person.get(path)
        if row.method == "GET"
        else person.post(path, {**FILLED.get(row.rule, {}), "form": "f-1", **form}, follow=False)
    )


def text(answer: TestResponse) -> str:
    """Of a page, or whatever is in a file."""
    return answer.get_data().decode("utf-8", "replace")


def routes(site: Flask) -> list[tuple[str, str, str]]:
    """(method, rule, endpoint) of every page."""
    return [
        (method, rule.rule, rule.endpoint)
        for rule in site.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if any(rule.rule == one or rule.rule.startswith(f"{one}/") for one in PAGES)
    ]


# --- the table and the pages are the same ---


def test_every_page_has_exactly_one_row_and_every_row_a_page(stage: Stage) -> None:
    pages = sorted((method, rule) for method, rule, _ in routes(stage.site))
    assert sorted((row.method, row.rule) for row in ROWS) == pages


def test_a_row_says_what_its_page_asks_for(stage: Stage) -> None:
    asked = {(method, rule): str(NEEDS.get(endpoint, PUBLIC)) for method, rule, endpoint in routes(stage.site)}
    assert {(row.method, row.rule): row.right for row in ROWS} == asked


def test_the_table_is_in_order() -> None:
    assert [(row.rule, row.method) for row in ROWS] == sorted((row.rule, row.method) for row in ROWS)


def test_every_right_opens_a_page_or_is_named_here() -> None:
    without_a_page = {Right.APPROVE_KEYS, Right.APPROVE_REVEAL, Right.APPROVE_ACCOUNTS}  # the page of approvals
    unused = set(Right) - {Right(row.right) for row in GUARDED if row.right != ANYBODY}
    assert sorted(unused - without_a_page) == []


def test_every_placeholder_has_a_line() -> None:
    wanted = {(row.rule, name) for row in GUARDED for name in NAMED.findall(row.rule)}
    assert [str(placeholder(rule, name)) for rule, name in wanted]


# --- who is not signed in, and who may not ---


@pytest.mark.parametrize("row", GUARDED, ids=lambda row: f"{row.method} {row.rule}")
def test_nobody_is_let_in_without_signing_in(stage: Stage, row: Row) -> None:
    path = address(stage, row.rule, inside=True)
    answer = stage.site.test_client().open(path, method=row.method)
    if row.method == "GET":
        assert (answer.status_code, answer.headers["Location"].startswith("/sign-in?next=")) == (303, True)
    else:
        assert answer.status_code == 401


@pytest.mark.parametrize("row", GUARDED, ids=lambda row: f"{row.method} {row.rule}")
def test_a_role_without_the_right_is_refused_whether_it_is_there_or_not(stage: Stage, row: Row) -> None:
    refused = [role for role in Role if not row.granted(role)]
    for role in refused:
        for path in (address(stage, row.rule, inside=True), nowhere(row.rule)):
            assert path is not None
            answer = ask(stage.people[role], row, path)
            assert (role, answer.status_code, "forbidden" in text(answer)) == (role, 403, True)


# --- who may ---


@pytest.mark.parametrize("row", GUARDED, ids=lambda row: f"{row.method} {row.rule}")
def test_a_role_with_the_right_is_answered_about_what_is_its_own(stage: Stage, row: Row) -> None:
    if row.method == "POST" and row.rule in NOT_EVERYBODYS:
        return
    path = address(stage, row.rule, inside=True)
    assert path is not None
    for role in filter(row.granted, Role):
        answer = ask(stage.people[role], row, path)
        assert answer.status_code < 500, (role, text(answer))
        assert "<code>forbidden</code>" not in text(answer), role
        if row.method == "GET":
            assert answer.status_code == 200, (role, answer.status_code, answer.headers.get("Location"))
        else:
            assert answer.status_code not in (401, 403, 404), (role, answer.status_code, text(answer))


@pytest.mark.parametrize("row", [row for row in GUARDED if "<" in row.rule], ids=lambda row: f"{row.method} {row.rule}")
def test_what_is_anothers_is_answered_as_what_is_not_there(stage: Stage, row: Row) -> None:
    theirs = address(stage, row.rule, inside=False)
    for role in filter(row.granted, Role):
        person = stage.people[role]
        absent = ask(person, row, nowhere(row.rule))
        assert (role, absent.status_code) == (role, 404)
        if theirs is not None and role in SCOPED:
            answer = ask(person, row, theirs)
            assert (role, answer.status_code) == (role, 404)
            assert masked(text(answer)) == masked(text(absent)), role


def masked(page: str) -> str:
    """A page without what differs between any two answers."""
    page = re.sub(r'nonce="[^"]+"|next=[^"]+"|urn:uuid:[0-9a-f-]+', "", page)
    return re.sub(r'value="[^"]+"', "", page)


@pytest.mark.parametrize(
    "row", [row for row in GUARDED if row.method == "POST"], ids=lambda row: f"{row.method} {row.rule}"
)
def test_a_form_without_its_token_is_not_taken(stage: Stage, row: Row) -> None:
    path = address(stage, row.rule, inside=True)
    assert path is not None
    for role in filter(row.granted, Role):
        answer = ask(stage.people[role], row, path, csrf="")
        assert (role, answer.status_code, "form_expired" in text(answer)) == (role, 403, True)
