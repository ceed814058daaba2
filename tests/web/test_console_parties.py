"""主体与密钥页 Keys with their ends; two people for a new key, one to revoke; nothing leads to a case."""

import json
import socket
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.encryption import EncryptionKey
from gateway.envelope.keyring import SigningKey
from gateway.errors import TrustError
from gateway.flows.context import Installed
from gateway.store import directory
from gateway.store import tables as t
from gateway.web.site import create_site
from tests.gateway_world import CIVIL_AFFAIRS, COURT, GATEWAY, NEIGHBOUR, World
from tests.web.people import Somebody, signed_in, somebody

PARTY = "/console/parties/cn~court~520100"
OFFICE = "/console/parties/cn~agency~civil_affairs.520102"
SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"'><img src=x onerror=alert(1)>"


def a_key(party_id: str = COURT) -> SigningKey:
    return SigningKey.generate(Algorithm.ED25519, party_id)


def a_form(key: SigningKey | None = None, **changes: str) -> dict[str, str]:
    jwk = (key or a_key()).public_jwk()
    return {"jwk": json.dumps(jwk), "days": "", "overlap_days": "", "why": "年度轮换", **changes}


def whats(world: World) -> list[str]:
    return [row["what"] for row in world.rows(t.decisions)]


def registered(world: World) -> set[str]:
    return {row["kid"] for row in world.rows(t.party_keys)}


def grant(person: Somebody, *, verdict: str = "grant") -> int:
    """What another officer does on the page of approvals; the answer's status."""
    page = person.get("/console/approvals").text
    if 'action="/console/approvals/' not in page:
        return 0
    approval = page.split('action="/console/approvals/')[1].partition('"')[0]
    return person.post(f"/console/approvals/{approval}", {"verdict": verdict, "why": "电话核对指纹"}).status_code


@pytest.fixture
def officer(world: World, site: Flask) -> Somebody:
    return somebody(world, site, Role.KEY_OFFICER)


@pytest.fixture
def second(world: World, site: Flask) -> Somebody:
    return somebody(world, site, Role.KEY_OFFICER, name="second-officer")


def test_the_list_shows_parties_with_keys_and_offices(officer: Somebody) -> None:
    page = officer.get("/console/parties").text
    assert f'href="{PARTY}"' in page
    assert CIVIL_AFFAIRS in page
    assert "推送" in page


def test_a_key_is_marked_before_its_end(world: World, officer: Somebody) -> None:
    for days, word in ((59, "60日内到期"), (29, "30日内到期"), (6, "7日内到期"), (0, "已到期")):
        end = world.now + timedelta(days=days)
        kid = world.court.key.kid
        world.store.write(lambda c, end=end, kid=kid: directory.end_key(c, kid, at=end, now=world.now))
        world.context.directory.forget()
        assert word in officer.get(PARTY).text
        assert COURT in officer.get("/console/parties?only=attention").text


def test_a_party_without_a_usable_key_needs_attention_and_others_do_not(world: World, officer: Somebody) -> None:
    world.store.write(
        lambda c: directory.end_key(c, world.court.key.kid, at=world.now, now=world.now, revoked_because="x")
    )
    world.context.directory.forget()
    page = officer.get("/console/parties?only=attention").text
    assert COURT in page
    assert NEIGHBOUR not in page


def test_pages_speak_english(officer: Somebody) -> None:
    officer.client.set_cookie("xianjie_language", "en")
    assert "Parties and keys" in officer.get("/console/parties").text
    assert "Ask for approval" in officer.get(PARTY).text
    assert "Example message" in officer.get(f"{OFFICE}/offices/{CIVIL_AFFAIRS}/example").text


def test_a_key_takes_two_people(world: World, officer: Somebody, second: Somebody) -> None:
    key = a_key()
    assert "须由另一名密钥管理员批准" in officer.post(f"{PARTY}/keys", a_form(key)).text
    assert grant(officer) == 0  # nobody grants his own: it is not even shown
    early = officer.post(f"{PARTY}/keys/{key.kid}/register")
    assert (early.status_code, key.kid in registered(world)) == (409, False)
    assert COURT in second.get("/console/approvals").text
    assert grant(second) == 200
    assert second.post(f"{PARTY}/keys/{key.kid}/register").status_code == 409  # who granted is not who asked
    assert "密钥已登记" in officer.post(f"{PARTY}/keys/{key.kid}/register").text
    assert key.kid in registered(world)
    again = officer.post(f"{PARTY}/keys/{key.kid}/register")
    assert again.status_code == 409
    found = [one for one in whats(world) if one.startswith("register_key")]
    assert found == ["register_key_asked", "register_key_granted", "register_key_used"]


def test_a_grant_is_for_one_key_and_one_party_and_in_time(world: World, officer: Somebody, second: Somebody) -> None:
    key, other = a_key(), a_key()
    officer.post(f"{PARTY}/keys", a_form(key))
    grant(second)
    assert officer.post(f"{PARTY}/keys/{other.kid}/register").status_code == 409
    elsewhere = officer.post(f"/console/parties/cn~court~520300/keys/{key.kid}/register")
    assert (elsewhere.status_code, key.kid in registered(world)) == (400, False)
    world.wait(timedelta(hours=73))
    late = signed_in(officer.site, officer.account)
    assert late.post(f"{PARTY}/keys/{key.kid}/register").status_code == 409
    assert key.kid not in late.get(PARTY).text


def test_a_refused_key_is_never_registered(world: World, officer: Somebody, second: Somebody) -> None:
    key = a_key()
    officer.post(f"{PARTY}/keys", a_form(key))
    assert grant(second, verdict="refuse") == 200
    assert officer.post(f"{PARTY}/keys/{key.kid}/register").status_code == 409
    assert key.kid not in registered(world)


def test_a_rotation_ends_the_earlier_keys_after_the_overlap(world: World, officer: Somebody, second: Somebody) -> None:
    key, old = a_key(), world.court.key.kid
    officer.post(f"{PARTY}/keys", a_form(key, overlap_days="14", days="365"))
    grant(second)
    officer.post(f"{PARTY}/keys/{key.kid}/register")
    found = {one.kid: one for one in world.context.snapshot(world.now).keys}
    assert found[old].not_after == world.now + timedelta(days=14)
    assert found[key.kid].not_after == world.now + timedelta(days=365)


@pytest.mark.parametrize(
    "jwk",
    ["", "{", "[]", "null", "1", "[" * 3000, "{}", SCRIPT, '{"kty":"OKP","crv":"Ed25519","x":"AA"}', "x" * 5000],
)
def test_what_is_no_key_is_refused_and_shown_again(world: World, officer: Somebody, jwk: str) -> None:
    before = registered(world)
    answer = officer.post(f"{PARTY}/keys", {"jwk": jwk, "days": "", "overlap_days": "", "why": IMAGE})
    assert answer.status_code == 400
    assert SCRIPT not in answer.text
    assert "<img" not in answer.text
    assert registered(world) == before


@pytest.mark.parametrize(
    "change", [{"days": "x"}, {"days": "0"}, {"days": "9999"}, {"overlap_days": "-1"}, {"why": ""}]
)
def test_bad_particulars_are_refused(officer: Somebody, change: dict[str, str]) -> None:
    assert officer.post(f"{PARTY}/keys", a_form(**change)).status_code == 400


def test_a_private_key_another_partys_and_a_known_one_are_refused(world: World, officer: Somebody) -> None:
    private = a_key().public_jwk() | {"d": "AAAA"}
    assert "private key" in officer.post(f"{PARTY}/keys", a_form(jwk=json.dumps(private))).text
    of_other = a_key().public_jwk() | {"party": NEIGHBOUR}
    assert officer.post(f"{PARTY}/keys", a_form(jwk=json.dumps(of_other))).status_code == 400
    assert "registered already" in officer.post(f"{PARTY}/keys", a_form(world.court.key)).text


def test_a_key_that_was_published_as_an_example_is_refused(world: World) -> None:
    key = a_key()
    context = replace(world.context, installed=Installed(refused_kids=frozenset({key.kid})))
    person = somebody(world, create_site(context, lambda: world.now, public_url=None), Role.KEY_OFFICER)
    answer = person.post(f"{PARTY}/keys", a_form(key))
    assert (answer.status_code, "example_key" in answer.text) == (400, True)
    assert key.kid not in person.get(PARTY).text


def test_an_office_on_the_list_of_permitted_addresses_is_reached(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        world.change_office(CIVIL_AFFAIRS, url=f"http://127.0.0.1:{listener.getsockname()[1]}/in?token=office-secret")
        context = replace(world.context, installed=Installed(allow_addresses=(ip_network("127.0.0.0/8"),)))
        person = somebody(world, create_site(context, lambda: world.now, public_url=None), Role.KEY_OFFICER)
        text = person.post(f"{OFFICE}/offices/{CIVIL_AFFAIRS}/test").text
    assert "已连通" in text
    assert "office-secret" not in text


def test_an_encryption_key_is_registered_for_encryption(world: World, officer: Somebody, second: Somebody) -> None:
    key = EncryptionKey.generate(COURT)
    officer.post(f"{PARTY}/keys", a_form(jwk=json.dumps(key.public_jwk())))
    grant(second)
    officer.post(f"{PARTY}/keys/{key.kid}/register")
    assert world.context.snapshot(world.now).keyring.encryption_key_of(COURT, world.now) is not None


def test_revoking_shows_first_what_was_accepted_with_the_key(world: World, officer: Somebody) -> None:
    world.refer()
    (row,) = world.rows(t.inbox)
    path = f"{PARTY}/keys/{world.court.key.kid}"
    page = officer.get(f"{path}?since=2026-03-01T00:00").text
    assert row["message_id"] in page
    assert row["subject"] not in page
    assert row["message_id"] not in officer.get(f"{path}?since=2026-03-30").text
    assert officer.post(f"{path}/revoke", {"why": "私钥泄露", "password_again": "wrong"}).status_code == 403
    assert officer.post(f"{path}/revoke", {"why": ""}).status_code == 400
    assert "密钥已吊销" in officer.post(f"{path}/revoke", {"why": "私钥泄露"}).text
    assert "已吊销" in officer.get(path).text
    assert "key_revoked" in whats(world)
    with pytest.raises(TrustError):
        world.refer(referral_id="r-2")
    assert officer.post(f"{path}/revoke", {"why": "再次"}).status_code == 409


def test_a_revoked_key_never_comes_back(world: World, officer: Somebody) -> None:
    officer.post(f"{PARTY}/keys/{world.court.key.kid}/revoke", {"why": "泄露"})
    answer = officer.post(f"{PARTY}/keys", a_form(world.court.key))
    assert (answer.status_code, "key_revoked" in answer.text) == (400, True)


def test_the_last_key_of_a_party_is_warned_of(world: World, officer: Somebody) -> None:
    assert "没有其他同用途的有效密钥" in officer.get(f"{PARTY}/keys/{world.court.key.kid}").text
    own = f"/console/parties/{GATEWAY.replace('/', '~')}/keys/{world.context.key.kid}"
    assert "这是本网关正在使用的密钥" in officer.get(own).text


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.RECONCILER, Role.AUDITOR])
def test_others_look_and_change_nothing(world: World, site: Flask, role: Role) -> None:
    person = somebody(world, site, role)
    page = person.get(PARTY)
    assert page.status_code == 200
    assert "<textarea" not in page.text
    kid = world.court.key.kid
    assert "确认吊销" not in person.get(f"{PARTY}/keys/{kid}").text
    for path in (f"{PARTY}/keys", f"{PARTY}/keys/{kid}/revoke", f"{PARTY}/keys/{kid}/register"):
        assert person.post(path, a_form()).status_code == 403
    assert person.post(f"{OFFICE}/offices/{CIVIL_AFFAIRS}/test").status_code == 403


def test_clerks_do_not_come_here(world: World, site: Flask) -> None:
    assert somebody(world, site, Role.COURT_CLERK).get("/console/parties").status_code == 403


def test_what_is_not_there_is_not_found(world: World, officer: Somebody) -> None:
    kid = world.court.key.kid
    for path in (
        "/console/parties/cn~court~999999",
        "/console/parties/cn/court/520100",
        f"{OFFICE}/keys/{kid}",
        f"{PARTY}/keys/none",
        f"{PARTY}/offices/{CIVIL_AFFAIRS}/example",
    ):
        assert officer.get(path).status_code == 404, path
    assert officer.post(f"{OFFICE}/keys/{kid}/revoke", {"why": "x"}).status_code == 404
    assert officer.get(f"{PARTY}/keys/{kid}?since=x").status_code == 400


def test_somebody_of_a_region_sees_its_parties_alone(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.KEY_OFFICER, region="5203")
    page = person.get("/console/parties").text
    assert NEIGHBOUR in page
    assert COURT not in page
    assert person.get(PARTY).status_code == 404
    assert person.post(f"{PARTY}/keys", a_form()).status_code == 404


def test_names_are_escaped(world: World, officer: Somebody) -> None:
    world.change(t.parties.update().values(name_zh=IMAGE))
    world.context.directory.forget()
    for path in ("/console/parties", PARTY):
        assert "<img" not in officer.get(path).text


@pytest.mark.parametrize("agency", ["civil_affairs", "disabled_persons", "womens_federation"])
def test_an_example_is_synthetic_and_signed_by_nobody(world: World, officer: Somebody, agency: str) -> None:
    path = f"/console/parties/cn~agency~{agency}.520102/offices/{agency}-520102/example"
    text = officer.get(path).text
    assert "SYNTHETIC" in text
    assert "529999" in text
    compact = text.rpartition("<pre")[2].partition("<code>")[2].partition("</code>")[0]
    assert compact.count(".") == 2
    with pytest.raises(TrustError):
        world.accept(compact.encode())


def test_a_key_officer_tests_a_connection_and_nothing_private_is_touched(world: World, officer: Somebody) -> None:
    for url, why in (
        ("https://169.254.169.254/latest", "not_public"),
        ("https://10.0.0.1/", "not_public"),
        ("http://93.184.216.34/", "plain_http"),
        ("https://user:secret@93.184.216.34/", "user_information"),
    ):
        world.change_office(CIVIL_AFFAIRS, url=url)
        text = officer.post(f"{OFFICE}/offices/{CIVIL_AFFAIRS}/test").text
        assert why in text
        assert "secret" not in text
    assert whats(world).count("connection_tested") == 4


def test_nothing_on_these_pages_leads_a_key_officer_to_a_case(world: World, officer: Somebody) -> None:
    world.refer()
    for path in ("/console/parties", PARTY, f"{PARTY}/keys/{world.court.key.kid}"):
        text = officer.get(path).text
        assert "/console/referrals" not in text
        assert "r-1" not in text
