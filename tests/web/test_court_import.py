"""导入移送 A file of the court's: every row with its errors before anything is sent, then sent once, or not at all."""

import json
import re
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from gateway.store import tables as t
from gateway.workbook.court_template import REFERRAL_SHEET
from tests.builders import an_id_number
from tests.gateway_world import NEIGHBOUR, World, a_referral_body
from tests.web.court_desk import HOSTILE, clerk_of, holding, typed
from tests.web.people import Somebody

openpyxl = pytest.importorskip("openpyxl")


@pytest.fixture
def site(world: World) -> Flask:
    return holding(world)


@pytest.fixture
def clerk(world: World, site: Flask) -> Somebody:
    return clerk_of(world, site)


def body(number: int, **changes: Any) -> dict[str, Any]:
    person = {
        "name": f"测试人{number}",
        "id_type": "111",
        "id_number": an_id_number(serial=number),
        "household_registration_region": "520102",
    }
    own = {
        "referral_id": f"r-{number}",
        "case_number": f"（2026）黔01司救执{number}号",
        "original_case_group": f"（2025）黔0102民初{number}号",
        "person": person,
    }
    return a_referral_body(**{**own, **changes})


def as_json(*rows: Any) -> bytes:
    return json.dumps(rows, ensure_ascii=False).encode()


def give(person: Somebody, raw: bytes, name: str = "a.json", step: str = "check", **fields: str) -> TestResponse:
    """Chooses a file and presses the button."""
    return person.post("/court/import", {"file": (BytesIO(raw), name), "step": step, **fields})


def digest(page: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert found is not None, page
    return found[1]


def sent(person: Somebody, raw: bytes, name: str = "a.json", **fields: str) -> str:
    """Checked, and the same file sent."""
    page = give(person, raw, name).text
    answer = give(person, raw, name, "send", digest=digest(page), **fields)
    assert answer.status_code == 200
    return answer.text


def states(page: str) -> list[str]:
    """The result of each row."""
    return re.findall(r'<td><span class="tag [a-z]*">([^<]+)</span></td>', page)


def on_file(world: World) -> list[str]:
    return sorted(row["referral_id"] for row in world.rows(t.referrals))


def workbook(template: bytes, *rows: dict[str, str]) -> bytes:
    """The template as a clerk fills it in."""
    book = openpyxl.load_workbook(BytesIO(template))
    page = book[REFERRAL_SHEET]
    at = {cell.value: cell.column for cell in page[1]}
    for number, row in enumerate(rows, start=3):
        for key, value in row.items():
            page.cell(number, at[key]).value = value
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def test_the_template_filled_in_is_checked_row_by_row_and_then_sent(world: World, clerk: Somebody) -> None:
    template = clerk.get("/court/import/template.xlsx")
    assert "spreadsheetml" in template.content_type
    good = typed()
    bad = typed(
        referral_id="r-2", case_number="（2026）黔01司救执2号", concluded_on="去年", survey__investigators="一人"
    )
    raw = workbook(template.get_data(), good, bad)
    page = give(clerk, raw, "七月.xlsx").text
    assert states(page) == ["可以报送", "需改正"]
    assert "结案日期* Concluded on" in page and "不是有效日期" in page and "测**" in page and "测试甲" not in page
    assert world.rows(t.inbox) == []
    result = sent(clerk, raw, "七月.xlsx")
    assert states(result) == ["已接收", "需改正"]
    assert on_file(world) == ["r-1"]
    world.dispatch()
    assert world.states() == ["routed"]


def test_the_same_file_twice_sends_nothing_twice_and_a_mended_one_only_what_is_new(
    world: World, clerk: Somebody
) -> None:
    first = as_json(body(1), body(2, survey={**body(2)["survey"], "investigators": ["一人"]}))
    assert states(sent(clerk, first)) == ["已接收", "需改正"]
    assert states(sent(clerk, first)) == ["此前已报送", "需改正"]
    assert states(sent(clerk, as_json(body(2), body(1)), "b.json")) == ["已接收", "此前已报送"]
    assert on_file(world) == ["r-1", "r-2"]
    assert len(world.rows(t.inbox)) == 2


def test_all_or_nothing_keeps_the_good_ones_back(world: World, clerk: Somebody) -> None:
    raw = as_json(body(1), body(2, legal_basis="NONE"))
    assert states(sent(clerk, raw, whole="1")) == ["未报送", "需改正"]
    assert on_file(world) == []
    assert states(sent(clerk, as_json(body(1), body(3)), whole="1")) == ["已接收", "已接收"]


def test_an_id_used_twice_is_wrong_in_the_later_row(world: World, clerk: Somebody) -> None:
    world.refer(world.neighbour, referral_id="r-9", case_number="（2026）黔03司救执9号")
    page = give(clerk, as_json(body(1), body(1, decided_amount_fen=1), body(9))).text
    assert states(page) == ["可以报送", "需改正", "需改正"]
    assert page.count("移送编号已被使用") == 2


def test_another_file_than_the_checked_one_is_not_sent(world: World, clerk: Somebody) -> None:
    page = give(clerk, as_json(body(1))).text
    answer = give(clerk, as_json(body(2)), step="send", digest=digest(page))
    assert answer.status_code == 422 and "not the file that was checked" in answer.text
    assert states(answer.text) == ["可以报送"] and on_file(world) == []
    bare = give(clerk, as_json(body(1)), step="send")
    assert bare.status_code == 422 and on_file(world) == []


def test_other_messages_of_the_court_go_in_by_their_type(world: World, clerk: Somebody) -> None:
    world.refer()
    paid = {"referral_id": "r-1", "payment_id": "p-1", "amount_fen": 100, "paid_on": "2026-03-03", "payee": "AGENT"}
    lines = b"\n".join(json.dumps(one).encode() for one in (paid, {**paid, "payment_id": "p-2", "referral_id": "x"}))
    result = sent(clerk, lines, "七月.judicial_assistance.paid.ndjson")
    assert states(result) == ["已接收", "未接收"] and "referral_unknown" in result
    assert [row["payment_id"] for row in world.rows(t.court_payments)] == ["p-1"]


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"", "a.xlsx"),
        (b"", "a.json"),
        (b"[]", "a.json"),
        (b"{", "a.json"),
        (b"PK\x03\x04nonsense", "a.xlsx"),
        (b"a,b", "a.csv"),
        (b"[1]", HOSTILE[0] + ".csv"),
        (b"\n\n", "a.ndjson"),
    ],
)
def test_what_is_no_file_of_a_courts_is_refused_with_what_to_do(clerk: Somebody, raw: bytes, name: str) -> None:
    answer = give(clerk, raw, name)
    assert answer.status_code == 422 and "file_unreadable" in answer.text
    assert "下载页面上的模板或表格" in answer.text and "--template" not in answer.text
    assert "<script>alert" not in answer.text


def test_no_file_and_too_many_rows_are_refused(clerk: Somebody) -> None:
    assert clerk.post("/court/import", {"step": "check"}).status_code == 422
    many = as_json(*[{"referral_id": f"r-{number}"} for number in range(501)])
    answer = give(clerk, many)
    assert answer.status_code == 422 and "超过 500 行，请拆分" in answer.text
    assert give(clerk, b"[" + b" " * (16 * 2**20) + b"]").status_code == 413


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_cells_are_shown_as_words(clerk: Somebody, hostile: str) -> None:
    wrong = body(1, person={**body(1)["person"], "name": hostile}, case_number=hostile, referral_id=hostile)
    odd = {"type": hostile, "data": {"x": hostile}}
    unknown = body(2) | {hostile: hostile}
    page = give(clerk, as_json(wrong, odd, unknown, [hostile], hostile)).text
    assert states(page) == ["需改正"] * 5
    assert "<script>alert" not in page and "<img src=x" not in page


def test_a_neighbours_clerk_sends_only_for_the_own_court(world: World, site: Flask) -> None:
    other = clerk_of(world, site, NEIGHBOUR)
    page = give(other, as_json(body(1))).text
    assert "案号与报送法院不符" in page
    sent(other, as_json(body(1)))
    (row,) = world.rows(t.referrals)
    assert row["court"] == NEIGHBOUR


def test_it_speaks_english_too(clerk: Somebody) -> None:
    clerk.client.set_cookie("xianjie_language", "en")
    page = give(clerk, as_json(body(1, legal_basis="X"))).text
    assert "Legal basis: " in page
    assert "to mend" in page and "Choose" not in page and "The code is not in the code list" in page
