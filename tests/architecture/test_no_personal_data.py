"""Law 11: personal data is never in a log, an error, a metric, a page or a receipt.

Canaries are planted in every text a court or an agency may write, good and bad, and the whole way round is gone with
all logging caught at DEBUG: as the process writes it (`JsonLines`, every logger), and as a careless handler would (our
own loggers: message, arguments and extra fields). None of the canaries may come out anywhere but in signed messages.
"""

import json
import logging
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.envelope.compact import decode_segment
from gateway.flows.reconcile import reconcile_all
from gateway.transport.answer import Answer, NoAnswer, NoAnswerReason
from gateway.web.access_log import JsonLines
from gateway.web.site import create_site
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, World, a_referral_body
from tests.web.callers import a_token, forge, get, post, post_batch

ID_NUMBER, OTHER_ID = an_id_number(serial=77), an_id_number(serial=88)
CANARIES = {
    "name": "金丝雀甲",
    "id_number": ID_NUMBER,
    "phone": "13912345678",
    "residence": "金丝雀路七号",
    "note": "金丝雀附言",
    "summary": "金丝雀调查记录",
    "investigator": "金丝雀法官",
    "contact": "金丝雀联系人",
    "contact_phone": "0851-87654321",
    "guardian": "金丝雀监护人",
    "member": "金丝雀家人",
    "member_id": OTHER_ID,
    "officer": "金丝雀经办人",
    "reason_text": "金丝雀理由",
    "latin": "Canary.Person",
}
OURS = ("gateway", "schemas", "adapters")
_STANDARD = set(vars(logging.makeLogRecord({})))


class Catcher(logging.Handler):
    """Keeps every line, in the process's own form and, of our loggers, in the most careless one."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self._json = JsonLines()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self._json.format(record))
        if record.name.partition(".")[0] in OURS:
            extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
            self.lines.append(f"{record.getMessage()} {extra!r}")


@dataclass
class Outside:
    """Everything that left the gateway other than signed messages to who may read them."""

    texts: list[tuple[str, str]] = field(default_factory=list)

    def add(self, where: str, response: TestResponse) -> TestResponse:
        self.texts.append((where, f"{response.headers}\n{response.get_data(as_text=True)}"))
        for line in response.get_data().splitlines():
            if response.mimetype in ("application/jose", "application/x-ndjson") and line.count(b".") == 2:
                self.texts.append((f"{where} receipt", decode_segment(line.split(b".")[1]).decode()))
        return response


def leaks(texts: list[tuple[str, str]]) -> list[str]:
    """Which canary was seen where; escaped spellings count."""
    spellings = {name: {word, json.dumps(word)[1:-1], repr(word)[1:-1]} for name, word in CANARIES.items()}
    return sorted(
        {f"{name} in {where}" for where, text in texts for name, words in spellings.items() for w in words if w in text}
    )


@pytest.fixture
def log() -> Iterator[Catcher]:
    """Every logger's records at DEBUG."""
    catcher, root = Catcher(), logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", *OURS)}
    root.addHandler(catcher)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield catcher
    root.removeHandler(catcher)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def world(log: Catcher, sqlite_url: str) -> Iterator[World]:
    made = World(sqlite_url)
    yield made
    made.close()


@pytest.fixture
def client(world: World) -> FlaskClient:
    return create_site(world.context, lambda: world.now, public_url=None).test_client()


def a_canary_body(**changes: Any) -> dict[str, Any]:
    """An honest referral that has a canary in every text a court writes."""
    body = a_referral_body()
    words = CANARIES
    body["person"] |= {key: words[key] for key in ("name", "id_number", "phone", "residence")}
    body["person"]["guardian"] = {"name": words["guardian"], "relation": "20", "phone": words["phone"]}
    body["person"]["household"] = [
        {"name": words["member"], "relation": "20", "id_type": "111", "id_number": words["member_id"]}
    ]
    body["needs"] = [{"programme": "MLG", "note": words["note"]}]
    body["survey"] |= {"investigators": [words["investigator"], words["latin"]], "summary": words["summary"]}
    body["contact"] = {"name": words["contact"], "phone": words["contact_phone"]}
    return body | changes


def broken_bodies() -> Iterator[dict[str, Any]]:
    """The same with one thing wrong that names, or stands beside, a person."""
    for path in (["person", "sex"], ["person", "birth_date"], ["decision"], ["case_number"], ["recipient_region"]):
        for word in (CANARIES["name"], CANARIES["id_number"], CANARIES["latin"], [CANARIES["name"]]):
            body = deepcopy(a_canary_body())
            inner = body
            for name in path[:-1]:
                inner = inner[name]
            inner[path[-1]] = word
            yield body
    yield a_canary_body(**{CANARIES["name"]: 1, CANARIES["id_number"]: 2})
    yield a_canary_body(person={CANARIES["name"]: CANARIES["id_number"]})
    yield a_canary_body(person=CANARIES["name"])
    yield a_canary_body(needs=[{"programme": CANARIES["note"]}])
    yield a_canary_body(agreement_document=CANARIES["name"])
    yield a_canary_body(original_case_group=CANARIES["summary"])
    for key in ("id_number", "name"):
        body = a_canary_body()
        body["person"][key] = CANARIES[key] + "\u202e"
        yield body


def test_good_and_bad_referrals_leave_no_trace_of_a_person(world: World, client: FlaskClient, log: Catcher) -> None:
    outside = Outside()
    assert outside.add("accepted", post(client, sign(world, a_canary_body()))).status_code == 202
    outside.add("held", post(client, sign(world, a_canary_body(referral_id="r-2"))))
    outside.add("taken", post(client, sign(world, a_canary_body())))
    for body in broken_bodies():
        for language in ("zh", "en"):
            outside.add(f"refused {sorted(body)[:1]}", post(client, sign(world, body), language=language))
    lines = post_batch(client, b"\n".join(sign(world, body) for body in broken_bodies()))
    outside.texts += [("batch", line) for line in lines]
    assert {json.loads(line)["status"] for line in lines if line.startswith("{")} == {422}
    look_everywhere(world, client, outside)
    assert leaks([*outside.texts, *(("log", line) for line in log.lines)]) == []


def test_bytes_that_cannot_be_read_are_not_repeated(world: World, client: FlaskClient, log: Catcher) -> None:
    outside = Outside()
    text = json.dumps(a_canary_body(), ensure_ascii=False)
    for raw in (
        text.encode(),
        forge(world.court, text.encode()),
        forge(world.court, text.encode()[:-1]),
        forge(world.court, ('{"id":"' + CANARIES["latin"] + '","id":1}').encode()),
        forge(world.court, json.dumps({"source": CANARIES["name"], CANARIES["name"]: 1}).encode()),
        sign(world, a_canary_body())[:-3],
    ):
        assert outside.add("unreadable", post(client, raw)).status_code in (400, 401, 422)
    assert leaks([*outside.texts, *(("log", line) for line in log.lines)]) == []


def test_an_address_that_names_a_person_is_not_repeated(world: World, client: FlaskClient, log: Catcher) -> None:
    outside = Outside()
    for word in CANARIES.values():
        for path in (f"/v1/{word}", f"/{word}?{word}={word}", f"/v1/referrals/{word}/x", f"/v1/inbox?wait={word}"):
            headers = {"Authorization": f"Bearer {word}".encode().decode("latin-1"), "User-Agent": "x"}
            outside.add(path.partition("?")[0][:4], client.get(path, headers=headers))
        outside.add("query", get(client, world, world.court, f"/v1/balance?from={word}"))
        outside.add("method", client.open("/v1/inbox", method=word if word.isascii() else "GET"))
        outside.add("type", client.post("/v1/messages", data=b"x", content_type=f"application/x; a={ID_NUMBER}"))
    assert leaks([*outside.texts, *(("log", line) for line in log.lines)]) == []


def test_the_whole_way_round_leaves_no_trace_of_a_person(world: World, client: FlaskClient, log: Catcher) -> None:
    outside, office = Outside(), world.offices[CIVIL_AFFAIRS]
    post(client, sign(world, a_canary_body()))
    world.dispatch()
    for fault in (hang_up, answer_in_plain_text):
        office.fault = fault
        world.deliver()
        world.wait(timedelta(hours=1))
    office.fault = None
    world.deliver()
    (handoff,) = office.received
    texts = {"xj_reason_text": CANARIES["reason_text"], "xj_officer": CANARIES["officer"]}
    for status, more in (
        ("20", texts),
        (CANARIES["latin"], texts),
        ("20", {CANARIES["name"]: CANARIES["id_number"]}),
        ("30", {"xj_amount": CANARIES["id_number"]}),
        ("50", {}),
    ):
        outside.add("reply", post(client, world.answer_bytes(handoff, status, **more)))
    for body in (CANARIES["name"], [CANARIES["name"]], {CANARIES["name"]: 1}, {"xj_handoff": CANARIES["latin"]}):
        outside.add("reply", post(client, world.reply(CIVIL_AFFAIRS, handoff, "handoff.outcome", body)))
    reconcile_all(world.context, now=world.now + timedelta(days=90))
    world.wait(timedelta(days=90))
    reconcile_all(world.context, now=world.now)
    look_everywhere(world, client, outside)
    assert leaks([*outside.texts, *(("log", line) for line in log.lines)]) == []


class _Crash(RuntimeError):
    """A programming mistake whose message quotes a person."""


class _Careless:
    """An adapter that fails and says about whom."""

    agency, version, content_type = "civil_affairs", "1.0", "application/json"

    def translate(self, handoff: Any) -> Any:
        raise _Crash(f"no form for {handoff.person.name} {handoff.person.id_number}")

    def interpret(self, body: Any, sent: Any) -> Any:
        try:
            raise ValueError(CANARIES["name"])
        except ValueError as error:
            raise _Crash(f"cannot read {CANARIES['officer']} {body}") from error


def test_an_unexpected_exception_is_logged_without_what_it_says(
    world: World, client: FlaskClient, log: Catcher
) -> None:
    post(client, sign(world, a_canary_body()))
    world.dispatch()
    world.deliver()
    (handoff,) = world.offices[CIVIL_AFFAIRS].received
    world.context.adapters["civil_affairs"] = _Careless()  # type: ignore[index]
    outside = Outside()
    raw = world.answer_bytes(handoff, "20", xj_officer=CANARIES["officer"])
    assert outside.add("unexpected", post(client, raw)).status_code == 500
    outside.texts += [("batch", line) for line in post_batch(client, raw)]
    another = {"case_number": "（2026）黔01司救执9号", "original_case_group": "（2025）黔0102民初9号"}
    post(client, sign(world, a_canary_body(referral_id="r-9", **another)))
    try:
        world.dispatch()
    except _Crash as error:
        logging.getLogger("gateway.worker").error("job failed", exc_info=error)
    assert any("_Crash" in line for line in log.lines)
    assert leaks([*outside.texts, *(("log", line) for line in log.lines)]) == []


def test_a_canary_that_does_come_out_is_seen() -> None:
    texts = [("body", json.dumps({"x": CANARIES["name"]})), ("log", f"x {CANARIES['latin']}"), ("page", "nothing")]
    assert leaks(texts) == ["latin in log", "name in body"]


def test_the_catcher_sees_what_a_careless_line_would_say(log: Catcher) -> None:
    logging.getLogger("gateway.x").info("for %s", CANARIES["name"], extra={"person": CANARIES["phone"]})
    assert leaks([("log", line) for line in log.lines]) == ["name in log", "phone in log"]


# --- means ---


def sign(world: World, body: Any) -> bytes:
    return world.court.sign("referral.submitted", body, now=world.now)


def hang_up(_: bytes) -> Answer:
    raise NoAnswer(NoAnswerReason.NO_CONNECTION, may_have_arrived=False)


def answer_in_plain_text(_: bytes) -> Answer:
    return Answer(status=500, body=f"no such person {CANARIES['name']} {CANARIES['id_number']}".encode())


def look_everywhere(world: World, client: FlaskClient, outside: Outside) -> None:
    """Every page and every read that a person or a program may keep."""
    for path in ("/", "/metrics", "/docs/errors", "/readyz", "/v1/keys"):
        outside.add(path, client.get(path))
    for path in ("/v1/referrals/r-1", "/v1/balance", "/v1/missed"):
        assert outside.add(path, get(client, world, world.court, path)).status_code == 200
    outside.add("/v1/balance", get(client, world, world.auditor, "/v1/balance"))
    token = a_token(world, world.neighbour, "/v1/referrals/r-1")
    headers = {"Authorization": f"Bearer {token}"}
    assert outside.add("neighbour", client.get("/v1/referrals/r-1", headers=headers)).status_code == 404
