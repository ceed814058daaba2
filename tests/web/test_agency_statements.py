"""对账单 A month's statement sent from the portal: read first, signed for once, its bad lines named."""

from io import BytesIO
from typing import Any

import pytest

from gateway.domain.access import Role
from gateway.flows.statement_read import read_waiting
from gateway.store import tables as t
from tests.flows.statement_world import DOCUMENT, a_line, ndjson, send
from tests.gateway_world import CIVIL_AFFAIRS, World
from tests.web.agency_desk import DISABLED, HOSTILE, clerk_of, holding, second_office
from tests.web.people import Somebody, somebody

MARCH = {
    "agreement_document": DOCUMENT,
    "office": CIVIL_AFFAIRS,
    "period_from": "2026-03",
    "period_to": "2026-03",
    "covers": "PAID",
    "complete": "1",
    "step": "send",
}


def upload(clerk: Somebody, raw: bytes, name: str = "march.ndjson", **changes: Any) -> Any:
    form = MARCH | {"file": (BytesIO(raw), name)} | changes
    return clerk.post("/agency/statements", form, follow=False, content_type="multipart/form-data")


def test_a_statement_is_sent_once_and_its_state_shown(world: World) -> None:
    world.hand_over()
    clerk = clerk_of(world, holding(world))
    raw = ndjson([a_line()])
    first, again = upload(clerk, raw), upload(clerk, raw)
    assert (first.status_code, again.status_code) == (303, 303), first.text
    assert "said=agency_statement_before" in again.headers["Location"]
    (row,) = world.rows(t.statements)
    assert (row["party"], row["office_id"], row["lines"], row["complete"]) == (
        "cn/agency/civil_affairs.520102",
        CIVIL_AFFAIRS,
        1,
        True,
    )
    path = first.headers["Location"].partition("?")[0]
    assert "已收齐" in clerk.get(path).text
    read_waiting(world.context, now=world.now)
    assert "已读取" in clerk.get(path).text and row["statement_id"] in clerk.get("/agency/statements").text


def test_bad_lines_are_named_and_sent_only_where_that_is_asked_for(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    raw = ndjson([a_line(), a_line(status="好"), a_line(amount_fen=-1)])
    refused = upload(clerk, raw)
    assert refused.status_code == 422 and "unknown_code" in refused.text and "测试甲" not in refused.text
    assert world.rows(t.statements) == []
    assert upload(clerk, raw, with_bad="1").status_code == 303
    (found,) = world.rows(t.statements)
    read_waiting(world.context, now=world.now)
    assert "unknown_code" in clerk.get(f"/agency/statements/{found['statement_id']}").text


def test_checking_sends_nothing(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    assert "可以报送" in upload(clerk, ndjson([a_line()]), step="check").text
    assert world.rows(t.statements) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"period_from": "三月"}, "period_from"),
        ({"period_to": "2026-02"}, "period_to"),
        ({"office": "civil_affairs-1"}, "office"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(
    world: World, changes: dict[str, str], field: str
) -> None:
    clerk = clerk_of(world, holding(world))
    refused = upload(clerk, ndjson([a_line()]), **changes)
    assert refused.status_code == 422 and f'id="{field}-wrong"' in refused.text
    assert world.rows(t.statements) == []


def test_the_same_months_again_need_to_say_what_they_correct(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    upload(clerk, ndjson([a_line()]))
    other = ndjson([a_line(amount_fen=1)])
    assert 'id="replaces-wrong"' in upload(clerk, other).text
    (first,) = world.rows(t.statements)
    assert upload(clerk, other, replaces=first["statement_id"]).status_code == 303
    assert "已被更正" in clerk.get("/agency/statements").text


@pytest.mark.parametrize(("raw", "name"), [(b"x", "march.pdf"), (b"PK", "march.xlsx"), (b"", "")])
def test_what_is_no_ledger_is_refused(world: World, raw: bytes, name: str) -> None:
    assert upload(clerk_of(world, holding(world)), raw, name).status_code == 422


def test_another_party_and_a_clerk_of_another_office_find_nothing(world: World) -> None:
    other = second_office(world)
    site = holding(world)
    upload(clerk_of(world, site, name="whole"), ndjson([a_line()]))
    (row,) = world.rows(t.statements)
    path = f"/agency/statements/{row['statement_id']}"
    for person in (clerk_of(world, site, DISABLED), clerk_of(world, site, office_ids=(other,))):
        assert person.get(path).status_code == 404
        assert row["statement_id"] not in person.get("/agency/statements").text
    limited = clerk_of(world, site, name="limited", office_ids=(other,))
    assert upload(limited, ndjson([a_line()]), office="").status_code == 422
    assert upload(limited, ndjson([a_line()])).status_code == 422
    assert somebody(world, site, Role.COURT_CLERK).get(path).status_code == 403


@pytest.mark.parametrize("statement_id", ["template", "template.xlsx"])
def test_a_statement_may_be_called_as_the_template_is(world: World, statement_id: str) -> None:
    send(world, [a_line()], statement_id=statement_id)
    clerk = clerk_of(world, holding(world))
    assert f"<code>{statement_id}</code>" in clerk.get(f"/agency/statements/{statement_id}").text


def test_the_template_can_be_had_and_hostile_words_come_out_as_words(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    assert clerk.get("/agency/statements/template/xlsx").data.startswith(b"PK")
    for hostile in HOSTILE:
        assert (
            hostile not in upload(clerk, ndjson([a_line()]), period_from=hostile, replaces=hostile, office=hostile).text
        )
    assert clerk.get("/agency/statements?before=x").status_code == 400
    clerk.client.set_cookie("xianjie_language", "en")
    assert "Send a statement" in clerk.get("/agency/statements").text
