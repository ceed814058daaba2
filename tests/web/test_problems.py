"""Problem documents: one shape for every "no", in the reader's language, telling nothing that is not the reader's."""

import json
import logging
from typing import Any

import pytest
from flask import Flask, Response, abort, redirect, request
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, ServiceUnavailable, TooManyRequests
from werkzeug.exceptions import NotFound as HttpNotFound
from werkzeug.test import TestResponse

from gateway.domain.field_codes import load_field_codes
from gateway.errors import (
    AddressRefused,
    Busy,
    ConfigError,
    Fault,
    FieldProblem,
    IllegalMove,
    NotFound,
    ReferralUnknown,
    SchemaInvalid,
    StillProcessing,
    StoreUnavailable,
    TooLarge,
    TrustError,
    XianjieError,
    every_error,
)
from gateway.web.problems import (
    CONTENT_TYPE,
    MAX_LISTED,
    RETRY_AFTER_SECONDS,
    Language,
    language_of,
    of_http_exception,
    problem,
    problem_response,
    register_error_pages,
)

BASE = "https://gateway.example"
ERROR_ID = "urn:uuid:0195c0de-0000-7000-8000-000000000001"
CANARY = "529999199001011234"


def document(error: XianjieError, language: Language = "en", **changes: Any) -> dict[str, Any]:
    return problem(error, language=language, base_url=BASE, **changes)


def answered(error: XianjieError, language: Language = "zh") -> Response:
    return problem_response(error, language=language, base_url=BASE)


# --- the document ---


def test_a_problem_says_what_is_wrong_whose_fault_it_is_and_what_to_do() -> None:
    expected = {
        "type": "https://gateway.example/docs/errors#illegal_move",
        "title": "The present state does not allow this",
        "status": 409,
        "detail": "Ask for the present state first.",
        "code": "illegal_move",
        "fault": "sender",
        "retryable": False,
        "instance": "/v1/messages/m-1",
        "note": "nothing_left",
        "ids": {"referral_id": "r-1"},
    }
    error = IllegalMove("nothing_left", ids={"referral_id": "r-1"})
    assert expected == document(error, instance="/v1/messages/m-1")


def test_a_problem_in_chinese_has_the_same_code() -> None:
    chinese, english = document(NotFound(), "zh"), document(NotFound(), "en")
    assert ("无此地址", "见 /docs。") == (chinese["title"], chinese["detail"])
    same = ("type", "status", "code", "fault", "retryable")
    assert [chinese[key] for key in same] == [english[key] for key in same]


def test_a_base_url_may_end_in_a_slash() -> None:
    assert problem(NotFound(), language="en", base_url=BASE + "/")["type"] == document(NotFound())["type"]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.__name__)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_error_has_its_document(error: type[XianjieError], language: Language) -> None:
    found = document(error(), language)
    required = {"type", "title", "status", "detail", "code", "fault", "retryable"}
    assert required == set(found)
    assert all(found[key] not in ("", None) for key in required)
    assert json.loads(json.dumps(found)) == found


def test_each_field_has_its_pointer_its_code_and_what_to_do() -> None:
    error = SchemaInvalid(
        "referral",
        problems=[
            FieldProblem(pointer="/data/person/name", code="required"),
            FieldProblem(pointer="/data/needs/0", code="unknown_code"),
        ],
    )
    expected = [
        {"pointer": "/data/person/name", "code": "required", "detail": "缺少必填字段；补充该字段。"},
        {"pointer": "/data/needs/0", "code": "unknown_code", "detail": "代码不在代码表内；从代码表中选用代码。"},
    ]
    assert expected == document(error, "zh")["errors"]
    assert "A required field is missing. Supply the field." == document(error, "en")["errors"][0]["detail"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_field_code_has_its_text(language: Language) -> None:
    codes = list(load_field_codes())
    error = SchemaInvalid(problems=[FieldProblem(pointer="/data", code=code) for code in codes])
    found = document(error, language)["errors"]
    assert codes == [one["code"] for one in found]
    assert [] == [one["code"] for one in found if len(one["detail"]) <= len(one["code"]) // 2]


def test_a_rule_s_own_code_without_a_text_stands_for_itself() -> None:
    error = SchemaInvalid(problems=[FieldProblem(pointer="/data", code="no_such_code")])
    assert [{"pointer": "/data", "code": "no_such_code", "detail": "no_such_code"}] == document(error)["errors"]


def test_a_flood_of_field_problems_is_cut_and_the_rest_counted() -> None:
    problems = [FieldProblem(pointer=f"/data/{number}", code="unknown_field") for number in range(MAX_LISTED + 7)]
    found = document(SchemaInvalid(problems=problems))
    assert (MAX_LISTED, 7) == (len(found["errors"]), found["errors_omitted"])


@pytest.mark.parametrize("error_class", [StoreUnavailable, ConfigError, AddressRefused, XianjieError])
def test_a_fault_that_is_not_the_sender_s_tells_nothing_of_itself(error_class: type[XianjieError]) -> None:
    error = error_class("inner_reason", ids={"table": "inner"}, problems=[FieldProblem(pointer="/inner", code="x")])
    assert error.fault is not Fault.SENDER
    assert "inner" not in json.dumps({**document(error), "code": "", "type": "", "title": ""})


def test_an_id_that_is_no_plain_value_is_left_out() -> None:
    error = ReferralUnknown(ids={"referral_id": "r-1", "seq": 7, "person": {"name": "x"}, "list": ["x"]})
    assert {"referral_id": "r-1", "seq": 7} == document(error)["ids"]


class _LaterTrustError(TrustError):
    """A kind of trust failure with a code of its own, which nobody outside may see."""

    code = "revoked_key_for_the_log_alone"
    status = 400
    title = ("密钥已吊销", "The key is revoked")


@pytest.mark.parametrize(
    "error",
    [
        TrustError(),
        TrustError("bad_signature"),
        TrustError("unknown_kid", ids={"kid": "k", "party_id": "cn/court/520100"}),
        TrustError("x", problems=[FieldProblem(pointer="/data", code="required")], retry_after=9),
        _LaterTrustError("revoked"),
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_all_trust_failures_answer_alike(error: TrustError, language: Language) -> None:
    first, found = answered(TrustError(), language), answered(error, language)
    assert (401, first.data, list(first.headers)) == (found.status_code, found.data, list(found.headers))
    assert "Bearer" == found.headers["WWW-Authenticate"]


# --- the answer ---


def test_the_answer_says_what_it_is_and_in_which_language() -> None:
    found = answered(NotFound(), "zh")
    assert (404, CONTENT_TYPE, "zh-CN") == (found.status_code, found.content_type, found.headers["Content-Language"])
    assert ("Accept-Language", "no-store") == (found.headers["Vary"], found.headers["Cache-Control"])
    assert "无此地址" in found.get_data(as_text=True)
    assert "en" == answered(NotFound(), "en").headers["Content-Language"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Busy(), str(RETRY_AFTER_SECONDS)),
        (Busy(retry_after=30), "30"),
        (StoreUnavailable(retry_after=-3), "0"),
        (TooLarge(), None),
        (TooLarge(retry_after=60), "60"),
        (StillProcessing(retry_after=2), "2"),
        (StillProcessing(), None),
        (NotFound(), None),
    ],
)
def test_retry_after_is_given_where_waiting_helps(error: XianjieError, expected: str | None) -> None:
    assert expected == answered(error).headers.get("Retry-After")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "zh"),
        ("", "zh"),
        ("*", "zh"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en", "en"),
        ("en-GB", "en"),
        ("EN-us,en;q=0.9", "en"),
        ("en;q=0.5,zh-CN;q=0.4", "en"),
        ("zh;q=0.4,en;q=0.5", "en"),
        ("fr,en;q=0.3", "en"),
        ("fr, de;q=0.5", "zh"),
        ("en;q=0", "zh"),
        (";;;,,=q", "zh"),
        ("民" * 50, "zh"),
    ],
)
def test_the_reader_s_language_is_chinese_unless_english_is_preferred(header: str | None, expected: str) -> None:
    assert expected == language_of(header)


# --- the application ---


def an_app() -> Flask:
    """An application whose views fail in every way."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 10
    register_error_pages(app, base_url=BASE, new_error_id=lambda: ERROR_ID)

    @app.get("/invalid/<referral_id>")
    def invalid(referral_id: str) -> str:
        raise SchemaInvalid(problems=[FieldProblem(pointer="/data", code="required")])

    @app.get("/untrusted")
    def untrusted() -> str:
        raise TrustError("bad_signature", ids={"kid": "k-1", "name": "x"})

    @app.get("/broken")
    def broken() -> str:
        raise KeyError(CANARY)

    @app.get("/unavailable")
    def unavailable() -> str:
        raise StoreUnavailable("inner") from OSError(CANARY)

    @app.get("/abort/<int:status>")
    def aborted(status: int) -> str:
        abort(status, description=CANARY)

    @app.get("/made")
    def made() -> str:
        abort(Response("as it is", status=418))

    @app.get("/made/missing")
    def made_missing() -> str:
        raise HttpNotFound(response=Response("as it is", status=404))

    @app.get("/moved")
    def moved() -> str:
        abort(redirect("/elsewhere"))

    @app.get("/slash/")
    def slash() -> str:
        return "slash"

    @app.post("/body")
    def body() -> str:
        return request.get_data(as_text=True)

    return app


@pytest.fixture
def client() -> FlaskClient:
    return an_app().test_client()


def code_of(response: TestResponse) -> tuple[int, str]:
    assert CONTENT_TYPE == response.content_type
    found = json.loads(response.data)
    assert response.status_code == found["status"]
    return response.status_code, found["code"]


def test_a_view_s_error_becomes_a_problem_in_the_reader_s_language(client: FlaskClient) -> None:
    found = client.get("/invalid/r-1", headers={"Accept-Language": "en"})
    assert (422, "schema_invalid") == code_of(found)
    assert ("en", "Some fields are not acceptable") == (
        found.headers["Content-Language"],
        json.loads(found.data)["title"],
    )


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nowhere", (404, "not_found")),
        ("POST", "/untrusted", (405, "method_not_allowed")),
        ("GET", "/abort/400", (400, "invalid_query")),
        ("GET", "/abort/401", (401, "not_trusted")),
        ("GET", "/abort/403", (403, "forbidden")),
        ("GET", "/abort/406", (400, "invalid_query")),
        ("GET", "/abort/413", (413, "too_large")),
        ("GET", "/abort/414", (400, "invalid_query")),
        ("GET", "/abort/415", (415, "unsupported_media_type")),
        ("GET", "/abort/429", (503, "busy")),
        ("GET", "/abort/500", (500, "internal")),
        ("GET", "/abort/501", (500, "internal")),
        ("GET", "/abort/503", (503, "busy")),
        ("GET", "/untrusted", (401, "not_trusted")),
        ("GET", "/broken", (500, "internal")),
        ("GET", "/unavailable", (503, "store_unavailable")),
    ],
)
def test_whatever_goes_wrong_is_a_problem_with_a_code_and_no_detail_of_the_failure(
    client: FlaskClient, method: str, path: str, expected: tuple[int, str]
) -> None:
    found = client.open(path, method=method)
    assert expected == code_of(found)
    assert CANARY not in found.get_data(as_text=True) + str(found.headers)


def test_a_body_over_the_limit_is_too_large(client: FlaskClient) -> None:
    assert (413, "too_large") == code_of(client.post("/body", data=b"x" * 11))


def test_an_unexpected_error_is_answered_by_its_id_alone(client: FlaskClient) -> None:
    expected = {
        "type": f"{BASE}/docs/errors#internal",
        "title": "内部错误",
        "status": 500,
        "detail": "请稍后重试;如持续出现,请把编号告知运维人员。",
        "code": "internal",
        "fault": "gateway",
        "retryable": False,
        "instance": ERROR_ID,
    }
    assert expected == json.loads(client.get("/broken").data)


def test_an_unexpected_error_is_logged_with_its_id_and_its_traceback(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/broken")
    (record,) = [record for record in caplog.records if record.name == "gateway.web.problems"]
    assert (logging.ERROR, "unexpected error") == (record.levelno, record.msg)
    assert ERROR_ID == record.__dict__["error_id"]
    assert record.exc_info is not None
    assert KeyError is record.exc_info[0]


def test_the_log_alone_knows_why_a_party_was_not_trusted(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    found = client.get("/untrusted")
    (record,) = [record for record in caplog.records if record.name == "gateway.web.problems"]
    assert ("bad_signature", "k-1") == (record.__dict__["reason"], record.__dict__["kid"])
    assert "bad_signature" not in found.get_data(as_text=True)


def test_a_trust_failure_answers_the_same_whether_ours_or_the_framework_s(client: FlaskClient) -> None:
    ours, framework = client.get("/untrusted"), client.get("/abort/401")
    assert (ours.data, list(ours.headers)) == (framework.data, list(framework.headers))


def test_methods_that_exist_are_named(client: FlaskClient) -> None:
    allowed = client.post("/untrusted").headers["Allow"]
    assert {"GET", "HEAD", "OPTIONS"} == {name.strip() for name in allowed.split(",")}


def test_an_answer_a_view_made_itself_and_a_redirect_pass_as_they_are(client: FlaskClient) -> None:
    made = client.get("/made")
    assert (418, b"as it is") == (made.status_code, made.data)
    assert b"as it is" == client.get("/made/missing").data
    assert (302, "/elsewhere") == (client.get("/moved").status_code, client.get("/moved").headers["Location"])
    assert 308 == client.get("/slash").status_code


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TooManyRequests(retry_after=30), (503, "30")),
        (TooManyRequests(), (503, str(RETRY_AFTER_SECONDS))),
        (ServiceUnavailable(retry_after=60), (503, "60")),
        (RequestEntityTooLarge(), (413, None)),
    ],
)
def test_the_framework_s_wait_is_kept(error: HTTPException, expected: tuple[int, str | None]) -> None:
    found = answered(of_http_exception(error))
    assert expected == (found.status_code, found.headers.get("Retry-After"))


def test_an_exception_without_a_status_is_internal() -> None:
    assert "internal" == of_http_exception(HTTPException(CANARY)).code
