"""报表页 The report at the console: the published figures, by region and court, drawn, suppressed and exported."""

import csv
import re
import sys
import zlib
from base64 import a85decode
from collections.abc import Iterator
from datetime import date
from io import BytesIO, StringIO
from typing import Any

import openpyxl
import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.flows.accept import accept_many
from gateway.sandbox.province import courts, referrals
from gateway.store import tables as t
from gateway.web.console import reports as page
from gateway.web.site import create_site
from tests.builders import an_id_number
from tests.flows.statement_world import manifest, submit
from tests.flows.test_exchanges import ask, tell
from tests.gateway_world import COURT, NEIGHBOUR, World, a_referral_body
from tests.web.people import Somebody, somebody

HOME = "/console/reports"
PERIOD = "from=2026-01-01&to=2026-03-31"
PROVINCE = "from=2023-01-01&to=2024-07-31"
HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>")
PRESS = (
    "【合成数据，非真实案件】2023年1月至2024年7月，贵州省法院共审结司法救助案件808件，其中予以救助665件，"
    "救助金额2777.62万元；救助未成年人、老年人、妇女、残疾人等特定群体354人，救助金额813.62万元。"
)
PRESS_EN = (
    "808 cases of judicial assistance, of which 665 were assisted, with 27,776,200.00 yuan (2777.62万元); 354 persons"
)


def refer(world: World, number: int, court: Any = None, place: str = "01", *, year: int = 1970, **changes: Any) -> None:
    """A case of its own, of somebody of his own."""
    born = date(year, 1, number)
    own = {"id_number": an_id_number(born, serial=2 * number), "birth_date": born.isoformat()}
    body = a_referral_body(
        referral_id=f"r-{number}",
        case_number=f"（2026）黔{place}司救执{number}号",
        original_case_group=f"（2025）黔{place}02民初{number}号",
        person={**a_referral_body()["person"], **own},
        **changes,
    )
    sent = {name: value for name, value in body.items() if value is not None}
    world.accept((court or world.court).sign("referral.submitted", sent, now=world.now))


@pytest.fixture
def person(world: World, site: Flask) -> Somebody:
    return somebody(world, site, Role.RECONCILER)


def value(text: str, label: str) -> str:
    """The figure of a line of the page."""
    found = re.search(rf'<th scope="row">{re.escape(label)}</th><td class="number">([^<]*)</td>', text)
    assert found is not None, label
    return found[1]


def export(person: Somebody, form: str = "csv", asked: str = PERIOD, **more: str) -> Any:
    fields = dict(part.split("=") for part in asked.split("&"))
    return person.post(f"{HOME}/export", {**fields, "format": form, "why": "年度公报", **more}, follow=False)


# --- the figures ---


def test_each_section_has_its_figures_with_their_denominators(world: World, person: Somebody) -> None:
    refer(world, 1)
    refer(world, 2, decision="NOT_ASSIST", decided_amount_fen=0, ground_code=None, refusal_code="X5")
    shown = person.get(f"{HOME}?{PERIOD}").text
    assert (value(shown, "审结"), value(shown, "予以救助"), value(shown, "救助率")) == ("2", "1", "50.0")
    assert value(shown, "救助金额") == "20,000.00"
    assert "审结案件 2" in shown
    assert "2026年1月至2026年3月，贵州省法院共审结司法救助案件2件" in shown
    assert '<svg class="chart"' in shown
    assert "style=" not in shown


def test_without_a_period_this_year_is_counted(world: World, person: Somebody) -> None:
    refer(world, 1)
    shown = person.get(HOME).text
    assert f'value="{world.now.year}-01-01"' in shown
    assert value(shown, "审结") == "1"


def test_an_empty_period_is_a_report_of_nothing(person: Somebody) -> None:
    shown = person.get(f"{HOME}?from=2020-01-01&to=2020-12-31").text
    assert (value(shown, "审结"), value(shown, "救助率")) == ("0", "–")


def test_a_report_is_narrowed_and_says_by_what(world: World, person: Somebody) -> None:
    refer(world, 1)
    refer(world, 2, world.neighbour, "03", recipient_region="520102")
    refer(world, 3, year=1940, needs=[{"programme": "PSY"}])
    world.dispatch()

    def cases(asked: str) -> str:
        return value(person.get(f"{HOME}?{PERIOD}&{asked}").text, "审结")

    assert [cases("court="), cases(f"court={COURT}"), cases("region=520300"), cases("region=520100")] == [
        "3",
        "2",
        "1",
        "2",
    ]
    assert [cases("agency=womens_federation"), cases("agency=civil_affairs")] == ["1", "2"]
    assert [cases("case_type=enforcement"), cases("case_type=criminal")] == ["3", "0"]
    assert [cases("group=ELDERLY"), cases("group=MINOR")] == ["1", "0"]
    shown = person.get(f"{HOME}?{PERIOD}&court={COURT}&agency=civil_affairs").text
    assert re.search("测试单位[^，]*（仅民政）共审结司法救助案件1件", shown)


def test_a_month_has_its_own_figures(world: World, person: Somebody) -> None:
    refer(world, 1)
    shown = person.get(f"{HOME}?{PERIOD}").text
    assert (value(shown, "2026-03·审结"), value(shown, "2026-01·审结")) == ("1", "0")
    assert "按月审结与救助" in shown
    assert "2026-03·审结" not in person.get(f"{HOME}?from=2026-03-01&to=2026-03-31").text


def test_the_public_version_leaves_small_cells_out_everywhere(world: World, person: Somebody) -> None:
    for number in range(1, 4):
        refer(world, number)
    inside, public = (person.get(f"{HOME}?{PERIOD}&public={one}").text for one in ("", "1"))
    assert (value(inside, "审结"), value(public, "审结")) == ("3", "&lt;5 略")
    assert "（不足5，略）" in public
    assert "内部版" in inside
    left_out = [row for row in rows(export(person, public="1")) if "<5" in row["备注 Note"]]
    assert {row["数值 Value"] for row in left_out} == {""}


def rows(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(answer.data.decode("utf-8-sig"))))


def test_the_exchanges_have_their_sections_in_page_and_export_and_a_narrowed_report_has_none(
    world: World, person: Somebody
) -> None:
    ask(world)
    tell(world)
    submit(world, manifest(b"", 0, period_from="2026-02", period_to="2026-02"))
    refer(world, 1)
    shown, keys = (
        person.get(f"{HOME}?{PERIOD}").text,
        {row["代码 Key"]: row["数值 Value"] for row in rows(export(person))},
    )
    assert [value(shown, label) for label in ("提交", "妇联·提交", "收到", "应回访")] == ["1", "1", "1", "0"]
    assert [keys[key] for key in ("inquiry.asked", "clue.submitted", "statement.received", "follow_up.owed")] == [
        *("1", "1", "1", "0")
    ]
    of_court = person.get(f"{HOME}?{PERIOD}&court={COURT}").text
    of_kind = person.get(f"{HOME}?{PERIOD}&case_type=enforcement").text
    sections = [[f'id="{one}"' in page for one in ("inquiry", "statement")] for page in (shown, of_court, of_kind)]
    assert sections == [[True, True], [True, False], [False, False]]


# --- whose figures ---


def test_an_account_of_a_region_sees_the_figures_of_its_courts_alone(world: World, site: Flask) -> None:
    refer(world, 1)
    refer(world, 2, world.neighbour, "03", recipient_region="520102")
    near = somebody(world, site, Role.AUDITOR, name="near", region="5201")
    shown = near.get(f"{HOME}?{PERIOD}").text
    assert value(shown, "审结") == "1"
    assert "贵阳市法院共审结" in shown
    assert NEIGHBOUR not in shown
    for asked in (f"court={NEIGHBOUR}", "court=cn/court/none", "region=520300", "region=520000", "region=999999"):
        assert near.get(f"{HOME}?{PERIOD}&{asked}").status_code == 404
        assert export(near, asked=f"{PERIOD}&{asked}").status_code == 404
    assert [row["数值 Value"] for row in rows(export(near)) if row["代码 Key"] == "concluded.cases"] == ["1"]
    nowhere = somebody(world, site, Role.AUDITOR, name="nowhere", region="5202")
    assert value(nowhere.get(f"{HOME}?{PERIOD}").text, "审结") == "0"


def test_who_sees_no_reports_is_refused(world: World, site: Flask) -> None:
    for role in (Role.ADMINISTRATOR, Role.KEY_OFFICER, Role.COURT_CLERK):
        other = somebody(world, site, role)
        assert other.get(HOME).status_code == 403
        assert export(other).status_code == 403


# --- what cannot be ---


@pytest.mark.parametrize(
    "asked",
    [
        "from=2026-03-31&to=2026-01-01",
        "from=March&to=2026-01-01",
        "from=2026-01-01",
        "from=1900-01-01&to=2026-01-01",
        f"{PERIOD}&group=NOBODY",
        f"{PERIOD}&case_type=x",
        f"{PERIOD}&agency=x",
        f"{PERIOD}&public=yes",
    ],
)
def test_what_is_none_is_told_and_the_form_stands(person: Somebody, asked: str) -> None:
    answer = person.get(f"{HOME}?{asked}")
    assert (answer.status_code, '<form class="filter"' in answer.text) == (400, True)


def test_more_than_a_page_counts_is_refused_with_what_to_do(
    world: World, person: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 4):
        refer(world, number)
    monkeypatch.setattr(page, "MOST", 2)
    answer = person.get(f"{HOME}?{PERIOD}")
    assert (answer.status_code, "xianjie report" in answer.text) == (400, True)
    assert person.get(f"{HOME}?{PERIOD}&court={NEIGHBOUR}").status_code == 200


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_come_out_as_words(world: World, person: Somebody, hostile: str) -> None:
    refer(world, 1)
    for name in ("from", "group", "case_type", "agency", "public"):
        answer = person.get(HOME, query_string={"from": "2026-01-01", "to": "2026-03-31", name: hostile})
        assert (answer.status_code, hostile in answer.text) == (400, False)
    refused = export(person, form=hostile, why=hostile)
    assert (refused.status_code, hostile in refused.text) == (400, False)


@pytest.mark.parametrize("hostile", [*HOSTILE, "=1+1"])
def test_a_court_with_a_hostile_name_is_written_as_words(world: World, person: Somebody, hostile: str) -> None:
    world.add_court("cn/court/520400", "520400", hostile)
    asked = f"{PERIOD}&court=cn/court/520400"
    assert hostile not in person.get(f"{HOME}?{asked}").text or hostile.startswith("=")
    assert all(export(person, form, asked).status_code == 200 for form in ("csv", "xlsx", "pdf"))


# --- exports ---


def test_an_export_needs_a_reason_and_is_on_file(world: World, person: Somebody) -> None:
    refer(world, 1)
    assert export(person, why="").status_code in (400, 422)
    assert [row for row in world.rows(t.decisions) if row["what"] == "report_exported"] == []
    answer = export(person)
    assert answer.headers["Content-Disposition"] == "attachment; filename=report-2026-01-01-2026-03-31.csv"
    (row,) = [row for row in world.rows(t.decisions) if row["what"] == "report_exported"]
    assert (row["who"], row["why"]) == ("account:reconciler", "csv from=2026-01-01 to=2026-03-31 年度公报")


def test_every_form_holds_every_line_and_the_press_paragraph_in_both_languages(world: World, person: Somebody) -> None:
    refer(world, 1)
    table = rows(export(person))
    book = openpyxl.load_workbook(BytesIO(export(person, "xlsx").data))
    sheet = [[str(cell.value or "") for cell in row] for row in book.worksheets[0].iter_rows()]
    notes = [str(row[0].value or "") for row in book.worksheets[1].iter_rows()]
    paper = words_of(export(person, "pdf").data)
    assert table[0]["代码 Key"] == "press"
    assert len(sheet) == len(table) + 1  # two rows of headings, no row for the paragraph
    for text in (table[0]["项目"], table[0]["Item"]):
        assert text in notes
        assert text.replace(" ", "") in paper
    assert "审结与救助" in paper
    assert [cell.value for row in book.worksheets[0].iter_rows() for cell in row if cell.data_type == "f"] == []


def words_of(paper: bytes) -> str:
    """What stands in a PDF in our one face, without blanks."""
    assert paper.startswith(b"%PDF-")
    assert b"STSong-Light" in paper
    found = b""
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", paper, re.S):
        plain = zlib.decompress(
            a85decode(stream.strip(), adobe=False)
            if not stream.strip().endswith(b"~>")
            else a85decode(b"<~" + stream.strip(), adobe=True)
        )
        for text in re.findall(rb"\(((?:\\.|[^\\()])*)\) Tj", plain, re.S):
            found += re.sub(rb"\\([0-7]{3}|.)", _unescaped, text, flags=re.S)
    return found.decode("utf-16-be").replace(" ", "")


def _unescaped(found: re.Match[bytes]) -> bytes:
    named = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
    code = found[1]
    return bytes([int(code, 8)]) if len(code) == 3 else named.get(code, code)


@pytest.mark.parametrize(("form", "library"), [("pdf", "reportlab.platypus"), ("xlsx", "xlsxwriter")])
def test_without_its_library_a_form_is_refused_with_what_to_install(
    person: Somebody, monkeypatch: pytest.MonkeyPatch, form: str, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    answer = export(person, form)
    assert (answer.status_code, "missing_extra" in answer.text) == (500, True)
    assert "xianjie[export]" in answer.text


def test_the_same_report_is_the_same_paper(world: World, person: Somebody) -> None:
    refer(world, 1)
    assert export(person, "pdf").data == export(person, "pdf").data


def test_pages_speak_english(world: World, person: Somebody) -> None:
    refer(world, 1)
    person.client.set_cookie("xianjie_language", "en")
    shown = person.get(f"{HOME}?{PERIOD}").text
    assert value(shown, "Concluded") == "1"
    assert "the courts of 贵州省 concluded 1 cases" in shown
    assert "Concluded and assisted by month" in shown


# --- the synthetic province ---


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Somebody]:
    """Every referral of it, sent by its courts and accepted."""
    world = World(f"sqlite:///{tmp_path_factory.mktemp('province') / 'xianjie.sqlite'}")
    for court in courts():
        world.add_court(court.party_id, court.region, court.name_zh)
    every = [world.partners[one.court].sign("referral.submitted", one.data, now=world.now) for one in referrals()]
    assert [one for one in accept_many(every, world.context, now=world.now) if isinstance(one, Exception)] == []
    yield somebody(world, create_site(world.context, lambda: world.now, public_url=None), Role.RECONCILER)
    world.close()


@pytest.mark.slow
def test_the_published_figures_of_the_province_come_out_of_the_page(province: Somebody) -> None:
    shown = province.get(f"{HOME}?{PROVINCE}").text
    assert PRESS in shown
    assert PRESS_EN in shown
    assert [value(shown, label) for label in ("审结", "予以救助", "救助金额")] == ["808", "665", "27,776,200.00"]
    assert [value(shown, label) for label in ("特定群体合计", "特定群体合计·金额")] == ["354", "8,136,200.00"]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "xlsx", "pdf"])
def test_the_published_figures_of_the_province_come_out_of_every_export(province: Somebody, form: str) -> None:
    answer = export(province, form, PROVINCE)
    match form:
        case "csv":
            assert rows(answer)[0]["项目"] == PRESS
        case "xlsx":
            notes = openpyxl.load_workbook(BytesIO(answer.data)).worksheets[1]
            assert PRESS in [row[0].value for row in notes.iter_rows()]
        case _:
            assert PRESS in words_of(answer.data)


@pytest.mark.slow
def test_the_courts_of_the_province_add_up_to_it(province: Somebody) -> None:
    found = [value(province.get(f"{HOME}?{PROVINCE}&court={court.party_id}").text, "审结") for court in courts()]
    assert sum(int(one) for one in found) == 808
