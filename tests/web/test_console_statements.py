"""对账单页 Statements at the console: what became of each, and a file from a disk that is taken whole or not at all."""

import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.flows.statement_intake import take
from gateway.flows.statement_read import read_waiting
from gateway.store import tables as t
from gateway.web.console import statements as page
from gateway.web.console.finding_filter import name_of_key
from tests.flows.statement_world import a_line, manifest, ndjson, send, state, submit
from tests.gateway_world import CIVIL_AFFAIRS, DISABLED_PERSONS, World
from tests.web.people import Somebody, somebody

HOME = "/console/statements"
HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>")
PARTY = "cn/agency/civil_affairs.520102"
FORM = {"office": CIVIL_AFFAIRS, "month": "2026-03", "step": "take"}
HEADING = "需求编号,项目,状态,金额（元）,发放日期"
GOOD = "r-1:1,MLG,已发放,600.00,2026-03-10"


@pytest.fixture
def person(world: World, site: Flask) -> Somebody:
    return somebody(world, site, Role.RECONCILER)


def upload(
    person: Somebody, raw: bytes, name: str = "march.ndjson", *, signed: bytes | None = None, **form: str
) -> Any:
    files: dict[str, Any] = {"file": (BytesIO(raw), name)}
    if signed is not None:
        files["manifest"] = (BytesIO(signed), "manifest.jws")
    return person.post(HOME, {**FORM, **files, **form}, follow=False, content_type="multipart/form-data")


def signed(world: World, raw: bytes, count: int, office_id: str = CIVIL_AFFAIRS, **changes: Any) -> bytes:
    """A manifest that was not submitted yet."""
    data = manifest(raw, count, **changes)
    return world.offices[office_id].partner.sign("statement.submitted", data, now=world.now)


def written(world: World) -> list[int]:
    """How much lies in the tables of statements."""
    return [len(world.rows(table)) for table in (t.statements, t.statement_parts, t.statement_lines)]


def whats(world: World) -> list[str]:
    return [row["what"] for row in world.rows(t.decisions)]


# --- the list ---


def test_the_list_shows_what_came_and_what_became_of_it(world: World, person: Somebody) -> None:
    world.hand_over()
    state(world, [a_line(), a_line(status="GONE")])
    shown = person.get(HOME).text
    assert "s-1" in shown
    assert "测试单位" in shown
    assert "2026-03" in shown
    assert "已读取" in shown
    assert "2 / 2" in shown


def test_an_empty_list_says_so_and_so_does_a_filter_that_finds_nothing(world: World, person: Somebody) -> None:
    assert "还没有收到对账单" in person.get(HOME).text
    send(world, [a_line()])
    assert "没有符合条件的对账单" in person.get(f"{HOME}?month=2027-01").text
    assert "s-1" in person.get(f"{HOME}?month=2026-03&state=received").text
    assert "s-1" not in person.get(f"{HOME}?state=read").text


@pytest.mark.parametrize("asked", ["month=March", "state=gone", "before=x", "before=-1"])
def test_a_filter_that_is_none_is_told_and_the_page_stands(person: Somebody, asked: str) -> None:
    answer = person.get(f"{HOME}?{asked}")
    assert (answer.status_code, "接收对账单文件" in answer.text) == (400, True)


def test_a_page_holds_so_many_and_leads_to_the_next(
    world: World, person: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAGE", 2)
    for number in range(5):
        send(world, [a_line(amount_fen=number)], statement_id=f"s-{number}", period_to=f"2026-0{number + 3}")
    first = person.get(HOME).text
    assert ("s-4" in first, "s-3" in first, "s-2" in first) == (True, True, False)
    older = first.split('href="')[-1].partition('"')[0].replace("&amp;", "&")
    second = person.get(older).text
    assert ("s-2" in second, "s-1" in second, "s-0" in second) == (True, True, False)


# --- one statement ---


def test_a_statement_says_what_agreed_what_is_in_doubt_and_which_lines_are_bad(world: World, person: Somebody) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "30", xj_amount="600.00", abaf0028="202603", abaf0029="202612")
    world.answer(handoff, "40", xj_amount="600.00")
    state(world, [a_line(amount_fen=61_000), a_line(need_id="r-9:1"), a_line(status="GONE")])
    shown = person.get(f"{HOME}/s-1").text
    assert "/console/findings?code=MM_AMOUNT&amp;state=all&amp;statement=s-1%40cn%2Fagency%2F" in shown
    assert "reference_unknown" in shown
    assert "unknown_code" in shown
    assert "http-equiv" not in shown
    assert "hx-get" not in shown
    for personal in ("测试甲", "529999", "6222"):
        assert personal not in shown


def test_the_doubts_of_one_statement_are_a_list_of_their_own(world: World, person: Somebody) -> None:
    world.hand_over()
    state(world, [a_line()])
    (doubt,) = world.rows(t.findings)
    name = name_of_key(doubt["key"])
    own = f"/console/findings?statement=s-1%40{quote(PARTY, safe='')}"
    assert f'href="{own}"' in person.get(f"{HOME}/s-1").text
    assert f'href="{own}"' in person.get(HOME).text
    listed = person.get(own).text
    assert f"/console/findings/{name}" in listed
    assert f'name="statement" maxlength="200" value="s-1@{PARTY}"' in listed
    assert name not in person.get(own.replace("s-1", "s-2")).text
    assert name not in person.get(f"{own}&state=closed").text
    assert name in person.get(f"{own}&code={doubt['code']}&sort=stake").text
    searched = [row["why"] for row in world.rows(t.decisions) if row["what"] == "searched"]
    assert searched[0] == f"statement=s-1@{PARTY}"


def test_only_while_it_is_under_way_the_page_looks_again_and_not_for_ever(world: World, person: Somebody) -> None:
    send(world, [a_line()])
    shown = person.get(f"{HOME}/s-1").text
    assert '<noscript><meta http-equiv="refresh" content="5;url=' in shown
    assert "turn=1" in shown
    assert "turn=61" not in person.get(f"{HOME}/s-1?turn=60").text
    assert "已停止自动更新" in person.get(f"{HOME}/s-1?turn=60").text
    read_waiting(world.context, now=world.now)
    assert "http-equiv" in person.get(f"{HOME}/s-1").text  # read, not compared yet


def test_one_that_waits_for_its_file_is_not_under_way(world: World, person: Somebody) -> None:
    submit(world, manifest(ndjson([a_line()]), 1))
    shown = person.get(f"{HOME}/s-1").text
    assert ("尚未收齐" in shown, "http-equiv" in shown) == (True, False)


def test_further_bad_lines_are_reached_by_number(
    world: World, person: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "BAD_LINES", 2)
    state(world, [a_line(status="GONE")] * 5)
    assert "line=2" in person.get(f"{HOME}/s-1").text
    assert "line=4" in person.get(f"{HOME}/s-1?line=2").text
    assert "line=6" not in person.get(f"{HOME}/s-1?line=4").text
    assert person.get(f"{HOME}/s-1?line=x").status_code == 400
    assert person.get(f"{HOME}/s-1?line={10**10}").status_code == 400  # more than a file has, or a column holds


def test_an_id_that_two_parties_used_is_asked_back(world: World, person: Somebody) -> None:
    send(world, [a_line()])
    send(world, [a_line(programme="DST")], office_id=DISABLED_PERSONS, agency="disabled_persons")
    assert "请选择" in person.get(f"{HOME}/s-1").text
    assert "SHA-256" in person.get(f"{HOME}/s-1?of={PARTY.replace('/', '~')}").text


def test_a_corrected_one_says_so(world: World, person: Somebody) -> None:
    state(world, [a_line()])
    state(world, [a_line(amount_fen=1)], statement_id="s-2", replaces="s-1")
    assert "已被更正" in person.get(HOME).text
    assert f'href="{HOME}/s-1?of=' in person.get(f"{HOME}/s-2").text


# --- whose it is ---


def test_who_is_of_another_region_finds_nothing_and_takes_nothing(world: World, site: Flask) -> None:
    raw = ndjson([a_line()])
    submit(world, manifest(raw, 1))
    far = somebody(world, site, Role.RECONCILER, name="far", region="5203")
    assert "s-1" not in far.get(HOME).text
    assert far.get(f"{HOME}/s-1").status_code == far.get(f"{HOME}/none").status_code == 404
    assert upload(far, raw).status_code == 400
    assert world.rows(t.statement_parts) == []
    near = somebody(world, site, Role.RECONCILER, name="near", region="5201")
    assert "s-1" in near.get(HOME).text
    assert near.get(f"{HOME}/s-1").status_code == 200


@pytest.mark.parametrize("scope", [{"office": CIVIL_AFFAIRS}, {"region": "520102"}, {}])
def test_the_region_of_a_statement_is_its_offices_its_own_or_its_partys(
    world: World, site: Flask, scope: dict[str, str]
) -> None:
    send(world, [a_line()], **scope)
    assert somebody(world, site, Role.AUDITOR, name="near", region="520102").get(f"{HOME}/s-1").status_code == 200
    assert somebody(world, site, Role.AUDITOR, name="far", region="520103").get(f"{HOME}/s-1").status_code == 404


def test_an_auditor_looks_and_takes_nothing(world: World, site: Flask) -> None:
    auditor = somebody(world, site, Role.AUDITOR)
    assert "接收对账单文件" not in auditor.get(HOME).text
    assert upload(auditor, ndjson([a_line()])).status_code == 403
    for role in (Role.ADMINISTRATOR, Role.KEY_OFFICER, Role.COURT_CLERK):
        assert somebody(world, site, role).get(HOME).status_code == 403


# --- a file ---


def test_a_file_goes_to_the_statement_that_was_signed_for_it(world: World, person: Somebody) -> None:
    world.hand_over()
    raw = ndjson([a_line()])
    submit(world, manifest(raw, 1))
    taken = upload(person, raw)
    assert (taken.status_code, "said=statement_taken" in taken.headers["Location"]) == (303, True)
    assert "已收齐" in person.get(taken.headers["Location"]).text
    assert [one.kept for one in read_waiting(world.context, now=world.now)] == [1]
    (row,) = [row for row in world.rows(t.decisions) if row["what"] == "statement_brought"]
    assert (row["who"], row["subject"]) == ("account:reconciler", f"{PARTY} s-1")
    assert "said=statement_taken_before" in upload(person, raw).headers["Location"]


def test_a_manifest_may_come_along(world: World, person: Somebody) -> None:
    raw = f"{HEADING}\r\n{GOOD}\r\n".encode("gb18030")
    world.hand_over()
    taken = upload(person, raw, "march.csv", signed=signed(world, raw, 1, format="CSV"))
    assert taken.status_code == 303, taken.text
    assert [one.bad for one in read_waiting(world.context, now=world.now)] == [0]


def test_a_sending_that_was_cut_off_goes_on_with_the_file(world: World, person: Somebody) -> None:
    raw = ndjson([a_line(), a_line()])
    submit(world, manifest(raw, 2))
    take(world.context, PARTY, "s-1", 0, raw[:70], now=world.now)
    assert upload(person, raw).status_code == 303
    assert [one.kept for one in read_waiting(world.context, now=world.now)] == [2]


def test_bad_lines_are_named_and_nothing_is_written(world: World, person: Somebody) -> None:
    raw = f"{HEADING}\n{GOOD}\n{GOOD.replace('600.00', '六百')}\n".encode()
    manifest_of = signed(world, raw, 2, format="CSV")
    refused = upload(person, raw, "march.csv", signed=manifest_of)
    assert refused.status_code == 422
    assert "金额（元）" in refused.text
    assert f'value="{CIVIL_AFFAIRS}" selected' in refused.text
    assert written(world) == [0, 0, 0]
    assert "statement_brought" not in whats(world)
    assert upload(person, raw, "march.csv", signed=manifest_of, with_bad="1").status_code == 303


def test_checking_writes_nothing(world: World, person: Somebody) -> None:
    raw = ndjson([a_line()])
    submit(world, manifest(raw, 1))
    assert "可以接收" in upload(person, raw, step="check").text
    assert world.rows(t.statement_parts) == []


@pytest.mark.parametrize(
    ("changes", "form"),
    [
        ({"sha256": "0" * 64}, {}),
        ({"period_from": "2026-04", "period_to": "2026-04"}, {}),
        ({}, {"month": "2026-05"}),
        ({}, {"office": DISABLED_PERSONS}),
    ],
)
def test_a_manifest_of_another_file_month_or_office_leaves_nothing_behind(
    world: World, person: Somebody, changes: dict[str, str], form: dict[str, str]
) -> None:
    raw = ndjson([a_line()])
    assert upload(person, raw, signed=signed(world, raw, 1, **changes), **form).status_code == 422
    assert written(world) == [0, 0, 0]
    assert world.rows(t.inbox) == []


def test_a_file_nobody_signed_for_is_refused_with_what_to_do(world: World, person: Somebody) -> None:
    refused = upload(person, ndjson([a_line()]))
    assert (refused.status_code, "没有签名首部指明这一文件" in refused.text) == (422, True)
    assert written(world) == [0, 0, 0]


@pytest.mark.parametrize("forged", [b"x", b"a.b.c", b"{}"])
def test_a_manifest_nobody_signed_is_refused_and_signs_nobody_out(
    world: World, person: Somebody, forged: bytes
) -> None:
    refused = upload(person, ndjson([a_line()]), signed=forged)
    assert refused.status_code in (400, 422)
    assert "退出" in refused.text
    assert written(world) == [0, 0, 0]


def test_another_partys_manifest_is_none_of_this_offices(world: World, person: Somebody) -> None:
    raw = ndjson([a_line()])
    other = signed(world, raw, 1, DISABLED_PERSONS, agency="disabled_persons")
    assert upload(person, raw, signed=other).status_code == 422
    assert written(world) == [0, 0, 0]


@pytest.mark.parametrize(
    ("raw", "name"),
    [(b"x", "march.pdf"), (b"PK", "march.xlsx"), (b"", ""), (b"", "march.csv"), (b"a,b\n1,2\n", "march.csv")],
)
def test_what_is_no_ledger_is_refused_and_no_temporary_file_stays(
    person: Somebody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: bytes, name: str
) -> None:
    folder = temporary(tmp_path, monkeypatch)
    assert upload(person, raw, name).status_code == 422
    assert list(folder.iterdir()) == []


def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything temporary lies from now on."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_no_temporary_file_stays_of_a_file_that_was_taken(
    world: World, person: Somebody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = temporary(tmp_path, monkeypatch)
    raw = ndjson([a_line()] * 4000)
    assert upload(person, raw, signed=signed(world, raw, 4000)).status_code == 303
    assert list(folder.iterdir()) == []


def test_a_file_above_the_limit_is_refused_and_the_page_says_how_it_goes(person: Somebody) -> None:
    assert "xianjie statement import" in person.get(HOME).text
    assert upload(person, b"x" * (17 * 2**20)).status_code == 413


@pytest.mark.parametrize(
    ("field", "value"), [("month", "三月"), ("month", "2026-13"), ("office", ""), ("office", "none")]
)
def test_an_office_or_month_that_is_none_is_told(world: World, person: Somebody, field: str, value: str) -> None:
    assert upload(person, ndjson([a_line()]), **{field: value}).status_code == 400
    assert written(world) == [0, 0, 0]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_come_out_as_words(world: World, person: Somebody, hostile: str) -> None:
    answers = [
        person.get(HOME, query_string={"office": hostile, "month": hostile}).text,
        upload(person, ndjson([a_line(status=hostile)]), office=hostile, month=hostile).text,
        upload(person, f"{HEADING}\n{hostile}\n".encode(), f"{hostile}.csv").text,
    ]
    assert [one for one in answers if hostile in one] == []


def test_the_empty_template_can_be_had_in_both_forms(person: Somebody) -> None:
    assert person.get(f"{HOME}/template/xlsx").data.startswith(b"PK")
    assert person.get(f"{HOME}/template/csv").data.decode("utf-8-sig").startswith("需求编号 Need,")


def test_a_filled_csv_template_is_read(world: World, person: Somebody) -> None:
    head = person.get(f"{HOME}/template/csv").data
    assert (
        "可以接收" in upload(person, head + b"r-1:1,,,,,,MLG,PAID,600,2026-03-10,,,,,\r\n", "m.csv", step="check").text
    )


def test_pages_speak_english(world: World, person: Somebody) -> None:
    person.client.set_cookie("xianjie_language", "en")
    state(world, [a_line()])
    assert "Take a statement" in person.get(HOME).text
    assert "What was compared" in person.get(f"{HOME}/s-1").text
