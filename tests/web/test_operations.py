"""What operations asks: alive, ready, counters and the status page; the last two from this machine alone."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from gateway.flows.reconcile import reconcile_all
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.web.site import create_site
from tests.gateway_world import CIVIL_AFFAIRS, GATEWAY, World
from tests.web.callers import a_referral, post, post_batch, told

INSIDE = ["/", "/metrics"]


def test_the_process_is_alive_whatever_the_database_does(world: World, client: FlaskClient) -> None:
    world.store.close()
    world.store.engine.dispose()
    assert (client.get("/healthz").status_code, client.get("/healthz").data) == (200, b"ok\n")


def test_a_gateway_is_ready_when_its_tables_are_there(world: World, tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'new.sqlite'}")
    client = create_site(replace(world.context, store=store), lambda: world.now, public_url=None).test_client()
    before = client.get("/readyz")
    assert before.status_code == 503
    assert "xianjie migrate" in before.get_data(as_text=True)
    migrate(store)
    assert (client.get("/readyz").status_code, client.get("/readyz").data) == (200, b"ready\n")
    store.close()


def test_a_database_that_cannot_be_opened_is_not_ready(world: World, tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite'}")
    client = create_site(replace(world.context, store=store), lambda: world.now, public_url=None).test_client()
    assert told(client.get("/readyz")) == (503, "store_unavailable")
    assert client.get("/healthz").status_code == 200


# --- who may ask ---


@pytest.mark.parametrize("path", INSIDE)
@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1"])
def test_who_asks_from_this_machine_is_answered(client: FlaskClient, path: str, address: str) -> None:
    assert client.get(path, environ_overrides={"REMOTE_ADDR": address}).status_code == 200


@pytest.mark.parametrize("path", INSIDE)
@pytest.mark.parametrize(
    "address", ["10.0.0.1", "192.0.2.7", "0.0.0.0", "::", "2001:db8::1", "localhost", "", "unix:", "127.0.0.1.example"]
)
def test_who_asks_from_elsewhere_is_not(client: FlaskClient, path: str, address: str) -> None:
    response = client.get(path, environ_overrides={"REMOTE_ADDR": address})
    assert told(response) == (403, "forbidden")


@pytest.mark.parametrize("path", INSIDE)
@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via"]
)
def test_who_asks_through_a_proxy_is_not(client: FlaskClient, path: str, header: str) -> None:
    assert told(client.get(path, headers={header: "127.0.0.1"})) == (403, "forbidden")


@pytest.mark.parametrize("path", INSIDE)
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8420", 200),
        ("127.0.0.1:8420", 200),
        ("[::1]:8420", 200),
        ("gateway.example", 403),
        ("localhost.example", 403),
        ("127.0.0.1.example:8420", 403),
        ("", 403),
    ],
)
def test_who_asks_for_a_public_name_is_not(client: FlaskClient, path: str, host: str, status: int) -> None:
    assert client.get(path, headers={"Host": host}).status_code == status


def test_health_is_answered_to_everybody(client: FlaskClient) -> None:
    for path in ("/healthz", "/readyz"):
        assert client.get(path, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200


# --- counters ---


def samples(client: FlaskClient) -> dict[str, float]:
    text = client.get("/metrics").get_data(as_text=True)
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    }


def test_messages_are_counted_by_type_and_refusals_by_code(world: World, client: FlaskClient) -> None:
    first = 'xianjie_messages_accepted_total{replayed="false",type="referral.submitted"}'
    again = 'xianjie_messages_accepted_total{replayed="true",type="referral.submitted"}'
    refused = 'xianjie_messages_refused_total{code="not_jose"}'
    before = samples(client)
    raw = a_referral(world)
    post(client, raw)
    post(client, raw)
    post(client, b"x")
    post_batch(client, b"\n".join([a_referral(world, 2), raw, b"x"]))
    after = samples(client)
    assert [after[name] - before.get(name, 0) for name in (first, again, refused)] == [2, 2, 2]


def test_the_present_counts_are_the_database_s(world: World, client: FlaskClient) -> None:
    world.refer()
    assert samples(client)['xianjie_needs{state="accepted"}'] == 1
    world.dispatch()
    after = samples(client)
    assert (after['xianjie_needs{state="routed"}'], after['xianjie_outbox{state="queued"}']) == (1, 1)
    assert 'xianjie_needs{state="accepted"}' not in after


def test_open_findings_are_counted_by_code(world: World, client: FlaskClient) -> None:
    world.hand_over()
    world.wait(timedelta(days=40))
    reconcile_all(world.context, now=world.now)
    found = {name: value for name, value in samples(client).items() if name.startswith("xianjie_findings_open{")}
    assert found
    assert sum(found.values()) == len(world.open_codes())


def test_each_sample_has_its_help_and_type(client: FlaskClient) -> None:
    text = client.get("/metrics").get_data(as_text=True)
    families = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert sorted(set(families)) == sorted(families)
    assert {"xianjie_needs", "xianjie_outbox", "xianjie_findings_open"} <= set(families)


# --- the status page ---


def test_an_empty_gateway_says_so(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)
    assert GATEWAY in page
    assert "没有未结疑点" in page


def test_the_status_page_shows_counts_and_lanes(world: World, client: FlaskClient) -> None:
    world.refer()
    world.dispatch()
    world.change_office("disabled_persons-520102", paused=True)
    page = client.get("/").get_data(as_text=True)
    row = next(row for row in page.split("<tr>") if CIVIL_AFFAIRS in row)
    assert "正常" in row
    assert ">1</td>" in row
    assert "暂停" in next(row for row in page.split("<tr>") if "disabled_persons-520102" in row)


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/errors"])
def test_a_page_needs_nothing_from_elsewhere_and_runs_nothing(client: FlaskClient, path: str) -> None:
    page = client.get(path).get_data(as_text=True)
    assert "<script" not in page
    assert not re.search(r"""(?:src|href|action)\s*=\s*["']?\s*(?:https?:|//)""", page)
    assert not re.search(r"url\(|@import", page)
    assert '<meta name="viewport"' in page


def test_a_page_says_its_language(client: FlaskClient) -> None:
    for asked, said in (("en", "en"), ("zh", "zh-CN")):
        page = client.get("/", headers={"Accept-Language": asked}).get_data(as_text=True)
        assert f'<html lang="{said}">' in page


def test_what_an_operator_typed_is_text_on_the_page(world: World, client: FlaskClient) -> None:
    office = world.context.snapshot(world.now).offices[CIVIL_AFFAIRS]
    world.put_office(replace(office, office_id="<b>x</b>", region="520103"))
    page = client.get("/").get_data(as_text=True)
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
