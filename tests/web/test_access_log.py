"""The log lets ids, codes and counts out and no person: every test plants one and looks for it."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, abort
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SchemaInvalid, TrustError
from gateway.web.access_log import KEYS, LOGGER, WITHHELD, JsonLines, install, note
from gateway.web.problems import register_error_pages

NAME, RESIDENT_ID, MOBILE, CARD = "测试甲", "529999199001011234", "13800001234", "6222020200011223344"
CANARIES = (NAME, RESIDENT_ID, MOBILE, CARD)
PARTY, MESSAGE = "cn/court/520100", "0195c0de-0000-7000-8000-000000000001"


class Lines(logging.Handler):
    """What a log file would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def log() -> Iterator[Lines]:
    handler, root = Lines(), logging.getLogger("gateway")
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


def an_app() -> Flask:
    app = Flask(__name__)
    install(app)
    register_error_pages(app, base_url="https://gateway.example", new_error_id=lambda: "urn:uuid:e-1")

    @app.route("/v1/referrals/<referral_id>", methods=["GET", "POST"])
    def referral(referral_id: str) -> Response:
        note(party_id=PARTY, message_id=MESSAGE)
        return Response("x", status=202)

    @app.get("/v1/anonymous")
    def anonymous() -> str:
        note(party_id=None)
        return "x"

    @app.get("/v1/refused")
    def refused() -> str:
        note(party_id=PARTY)
        raise SchemaInvalid(ids={"name": NAME})

    @app.get("/v1/untrusted")
    def untrusted() -> str:
        raise TrustError("bad_signature")

    @app.get("/v1/broken")
    def broken() -> str:
        raise KeyError(" ".join(CANARIES))

    @app.get("/v1/aborted")
    def aborted() -> str:
        abort(503, description=NAME)

    return app


@pytest.fixture
def client() -> FlaskClient:
    return an_app().test_client()


def access(log: Lines) -> dict[str, Any]:
    """The one access record, without time and duration."""
    (found,) = [line for line in log.read() if line["logger"] == LOGGER]
    assert isinstance(found.pop("milliseconds"), int)
    assert found.pop("time").endswith("+00:00")
    return found


def formatted(message: object, *args: object, error: BaseException | None = None, **extra: Any) -> dict[str, Any]:
    info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("gateway.test", logging.INFO, __file__, 1, message, args, info)
    record.__dict__.update(extra)
    line = JsonLines().format(record)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


# --- one record per request ---


def test_a_request_leaves_one_record_of_ids_and_codes(client: FlaskClient, log: Lines) -> None:
    client.get("/v1/referrals/r-1?wait=1")
    expected = {
        "level": "INFO",
        "logger": LOGGER,
        "event": "request",
        "method": "GET",
        "route": "/v1/referrals/<referral_id>",
        "status": 202,
        "party_id": PARTY,
        "message_id": MESSAGE,
    }
    assert expected == access(log)


@pytest.mark.parametrize("canary", CANARIES)
def test_neither_path_nor_query_nor_header_nor_body_is_logged(client: FlaskClient, log: Lines, canary: str) -> None:
    client.post(f"/v1/referrals/{canary}?name={canary}", data=canary, headers={"User-Agent": canary.encode().hex()})
    client.get(f"/nowhere/{canary}")
    written = "\n".join(log.lines)
    assert canary not in written
    assert canary not in json.loads(json.dumps(written))
    assert json.dumps(canary)[1:-1] not in written


@pytest.mark.parametrize(
    ("path", "status", "code", "level"),
    [
        ("/v1/refused", 422, "schema_invalid", "INFO"),
        ("/v1/untrusted", 401, "not_trusted", "INFO"),
        ("/v1/broken", 500, "internal", "ERROR"),
        ("/v1/aborted", 503, "busy", "ERROR"),
        ("/nowhere", 404, "not_found", "INFO"),
    ],
)
def test_a_failure_is_recorded_with_its_code(
    client: FlaskClient, log: Lines, path: str, status: int, code: str, level: str
) -> None:
    client.get(path)
    found = access(log)
    assert (status, code, level) == (found["status"], found["error_code"], found["level"])


def test_an_address_that_does_not_exist_has_no_route(client: FlaskClient, log: Lines) -> None:
    client.get(f"/nowhere/{RESIDENT_ID}")
    assert "unmatched" == access(log)["route"]


def test_a_method_nobody_knows_is_not_repeated(client: FlaskClient, log: Lines) -> None:
    client.open("/v1/anonymous", method="ZHANGSAN")
    assert "OTHER" == access(log)["method"]


def test_what_is_not_known_is_not_written(client: FlaskClient, log: Lines) -> None:
    client.get("/v1/anonymous")
    assert {"level", "logger", "event", "method", "route", "status"} == set(access(log))


def test_one_request_s_names_do_not_stay_for_the_next(client: FlaskClient, log: Lines) -> None:
    client.get("/v1/referrals/r-1")
    client.get("/v1/anonymous")
    second = [line for line in log.read() if line["logger"] == LOGGER][1]
    assert {"party_id", "message_id"} & set(second) == set()


def test_an_unexpected_error_is_written_without_its_message(client: FlaskClient, log: Lines) -> None:
    client.get("/v1/broken")
    (found,) = [line for line in log.read() if line["event"] == "unexpected error"]
    (exception,) = found["exceptions"]
    assert ("urn:uuid:e-1", "builtins.KeyError") == (found["error_id"], exception["type"])
    assert "tests/web/test_access_log.py:" in exception["frames"][-1]
    assert [] == [canary for canary in CANARIES if canary in json.dumps(log.read(), ensure_ascii=False)]


def test_only_the_record_s_own_names_may_be_noted() -> None:
    with pytest.raises(ValueError, match="no name"):
        note(name=NAME)


def test_a_note_outside_a_request_is_nobody_s() -> None:
    note(party_id=PARTY)


# --- the formatter ---


def test_only_permitted_keys_are_written() -> None:
    found = formatted("handoff relayed", handoff_id="h-1", attempt=3, name=NAME, resident_id=RESIDENT_ID, phone=MOBILE)
    assert {"time", "level", "logger", "event", "handoff_id", "attempt"} == set(found)


@pytest.mark.parametrize(
    "value",
    [
        *CANARIES,
        int(RESIDENT_ID),
        int(MOBILE),
        int(CARD),
        "52999919900101123X",
        "529999900101123",
        "+8613800001234",
        f"id:{RESIDENT_ID}",
        f"/v1/people/{MOBILE}",
        "two words",
        "a\nb",
        "a" * 201,
        "",
        {"name": NAME},
        [NAME],
        b"bytes",
        1.5,
        float("nan"),
        object(),
    ],
)
def test_a_permitted_key_lets_no_person_through(value: object) -> None:
    assert "party_id" not in formatted("event", party_id=value)


@pytest.mark.parametrize(
    "value",
    [
        PARTY,
        MESSAGE,
        "/v1/referrals/<referral_id>",
        "schema_invalid",
        "ab" * 32,
        "urn:uuid:0195c0de-0000-7000-8000-123456789012",
        0,
        42,
        True,
    ],
)
def test_ids_codes_and_counts_pass(value: object) -> None:
    assert value == formatted("event", party_id=value)["party_id"]


def test_arguments_of_a_template_are_dropped() -> None:
    assert "answer from %s to %d" == formatted("answer from %s to %d", NAME, 7)["event"]


@pytest.mark.parametrize(
    "message", [*(f"found {canary}" for canary in CANARIES), ValueError(NAME), {"name": NAME}, "a\nb", "", "x" * 201]
)
def test_an_event_that_is_no_plain_template_is_withheld(message: object) -> None:
    assert WITHHELD == formatted(message)["event"]


def test_arguments_that_do_not_fit_break_nothing() -> None:
    assert "%d of %d" == formatted("%d of %d", "x")["event"]


def test_a_chain_of_errors_shows_types_and_lines_only() -> None:
    try:
        try:
            raise OSError(NAME)
        except OSError as first:
            raise ValueError(RESIDENT_ID) from first
    except ValueError as second:
        found = formatted("failed", error=second)
    assert ["builtins.ValueError", "builtins.OSError"] == [one["type"] for one in found["exceptions"]]
    assert all(one["frames"] for one in found["exceptions"])
    assert [] == [canary for canary in CANARIES if canary in json.dumps(found, ensure_ascii=False)]


def test_notes_added_to_an_error_are_not_written() -> None:
    error = ValueError("x")
    error.add_note(NAME)
    assert NAME not in json.dumps(formatted("failed", error=raised(error)), ensure_ascii=False)


def test_an_expected_error_adds_its_code_and_safe_ids() -> None:
    error = raised(SchemaInvalid("too_deep", ids={"message_id": MESSAGE, "party_id": RESIDENT_ID, "name": NAME}))
    (found,) = formatted("failed", error=error)["exceptions"]
    expected = {"code": "schema_invalid", "note": "too_deep", "ids": {"message_id": MESSAGE}}
    assert expected == {key: found[key] for key in expected}


@pytest.mark.parametrize("text", [f"for {NAME}", RESIDENT_ID, ""])
def test_a_note_that_is_no_code_is_not_written(text: str) -> None:
    (found,) = formatted("failed", error=raised(SchemaInvalid(text)))["exceptions"]
    assert "note" not in found


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert 5 == len(formatted("failed", error=first)["exceptions"])


def test_a_deep_recursion_is_cut() -> None:
    def deeper(level: int) -> None:
        if level == 0:
            raise ValueError
        deeper(level - 1)

    try:
        deeper(200)
    except ValueError as error:
        (found,) = formatted("failed", error=error)["exceptions"]
    assert 40 == len(found["frames"])


def test_a_frame_shows_no_folder_of_the_machine() -> None:
    (found,) = formatted("failed", error=raised(ValueError()))["exceptions"]
    assert [True] * len(found["frames"]) == [frame.count("/") <= 2 for frame in found["frames"]]


def test_the_stack_and_other_formatters_text_are_not_written() -> None:
    found = formatted("event", exc_text=NAME, stack_info=NAME, asctime=NAME)
    assert {"time", "level", "logger", "event"} == set(found)


def test_no_permitted_key_collides_with_a_record_s_own() -> None:
    own = set(logging.LogRecord("x", 1, "x", 1, "x", (), None).__dict__) | {"message", "asctime"}
    assert set() == KEYS & own


@given(st.text(max_size=300), st.one_of(st.text(max_size=300), st.integers(), st.floats(), st.none()))
def test_whatever_is_logged_becomes_one_line_of_json(message: str, value: object) -> None:
    found = formatted(message, reason=value)
    assert message == found["event"] or WITHHELD == found["event"]


def test_the_empty_exception_info_of_a_call_outside_a_handler_is_nothing() -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "event", (), sys.exc_info())
    assert "exceptions" not in json.loads(JsonLines().format(record))
