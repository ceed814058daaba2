"""The evidence route: a court's own referral, an auditor's any, nobody else's; each answer is on file and verifies."""

import json
from collections.abc import Iterator
from io import BytesIO
from zipfile import ZipFile

import pytest
from flask.testing import FlaskClient

from gateway.evidence.checkpoint import unverified
from gateway.evidence.verifier.conclusions import Standing
from gateway.evidence.verifier.trust import Trusted, read_trusted_keys
from gateway.evidence.verifier.verify import verify_bundle
from gateway.flows.evidence import OVER_HTTP, WHAT
from gateway.store import tables as t
from gateway.web.site import create_site
from tests.gateway_world import CIVIL_AFFAIRS, COURT, World
from tests.log_world import LogWorld
from tests.web.callers import get, told

PATH = "/v1/referrals/r-1/evidence"


@pytest.fixture
def logged(world: World) -> LogWorld:
    made = LogWorld(world)
    world.context = made.context
    world.answer(world.hand_over(), "RECEIVED")
    made.sign()
    return made


@pytest.fixture
def client(logged: LogWorld) -> Iterator[FlaskClient]:
    yield create_site(logged.context, lambda: logged.world.now, public_url=None).test_client()


def test_a_court_gets_its_own_referrals_evidence_and_it_verifies(client: FlaskClient, logged: LogWorld) -> None:
    response = get(client, logged.world, logged.world.court, PATH)
    assert (response.status_code, response.mimetype) == (200, "application/zip")
    assert response.headers["Content-Disposition"] == 'attachment; filename="r-1.zip"'
    assert response.headers["Cache-Control"] == "no-store"
    found = verify_bundle(response.get_data())
    assert found.of(Standing.REFUTED) == ()
    assert found.referral_id == "r-1"


def test_the_gateways_published_keys_are_what_pins_it(client: FlaskClient, logged: LogWorld) -> None:
    published = read_trusted_keys(client.get("/v1/keys").get_data())
    raw = get(client, logged.world, logged.world.court, PATH).get_data()
    pinned = [c.subject for c in verify_bundle(raw, Trusted(keys=published)).conclusions if c.code == "keys_pinned"]
    assert pinned == [logged.context.party_id]


def test_an_auditor_gets_any_courts(client: FlaskClient, logged: LogWorld) -> None:
    response = get(client, logged.world, logged.world.auditor, PATH)
    assert response.status_code == 200
    with ZipFile(BytesIO(response.get_data())) as archive:
        assert json.loads(archive.read("manifest.json"))["export"]["who"] == logged.world.auditor.party_id


def test_another_court_and_nobodys_referral_get_the_same_answer(client: FlaskClient, logged: LogWorld) -> None:
    world = logged.world
    assert told(get(client, world, world.neighbour, PATH)) == (404, "referral_unknown")
    for path in ("/v1/referrals/r-none/evidence", "/v1/referrals/%20/evidence"):
        assert told(get(client, world, world.court, path)) == (404, "referral_unknown")
    assert [row for row in world.rows(t.decisions) if row["what"] == WHAT] == []


def test_an_agency_gets_none(client: FlaskClient, logged: LogWorld) -> None:
    agency = logged.world.offices[CIVIL_AFFAIRS].partner
    assert told(get(client, logged.world, agency, PATH)) == (403, "forbidden")


def test_without_a_token_nobody_gets_any(client: FlaskClient) -> None:
    assert told(client.get(PATH)) == (401, "not_trusted")


def test_who_asked_is_on_file(client: FlaskClient, logged: LogWorld) -> None:
    get(client, logged.world, logged.world.court, PATH)
    (kept,) = [row for row in logged.world.rows(t.decisions) if row["what"] == WHAT]
    assert (kept["who"], kept["why"], kept["subject"]) == (COURT, OVER_HTTP, "r-1")


def test_a_checkpoint_the_asker_holds_is_linked(client: FlaskClient, logged: LogWorld) -> None:
    kept = logged.sign_again()
    logged.sign_again()
    response = get(client, logged.world, logged.world.court, f"{PATH}?witnessed={unverified(kept).size}")
    found = verify_bundle(response.get_data(), Trusted(checkpoint=kept))
    assert "given_checkpoint_confirmed" in {c.code for c in found.conclusions}


@pytest.mark.parametrize("query", ["witnessed=x", "witnessed=-1", "witnessed=999999999", "witnessed="])
def test_a_checkpoint_that_cannot_be_is_refused(client: FlaskClient, logged: LogWorld, query: str) -> None:
    assert told(get(client, logged.world, logged.world.court, f"{PATH}?{query}")) == (400, "invalid_query")


def test_before_the_first_checkpoint_one_is_asked_to_wait(world: World) -> None:
    logged = LogWorld(world)
    world.refer()
    client = create_site(logged.context, lambda: world.now, public_url=None).test_client()
    response = get(client, world, world.court, PATH)
    assert told(response) == (503, "evidence_not_ready")
    assert int(response.headers["Retry-After"]) > 0
