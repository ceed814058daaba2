"""How a partner calls the gateway over HTTP: sends bytes, signs a token for a read, reads what comes back."""

import json
from itertools import count
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.envelope import token
from gateway.envelope.compact import encode_header, encode_segment
from gateway.envelope.signing import MESSAGE_TYP, Header
from gateway.evidence.receipt import Receipt, read
from tests.gateway_world import GATEWAY, Partner, World, a_referral_body

JOSE, NDJSON, PROBLEM = "application/jose", "application/x-ndjson", "application/problem+json"
HERE = "http://localhost"

_numbers = count(1)


def a_referral(world: World, number: int = 1, **changes: Any) -> bytes:
    """One of the court's signed referrals; each number is a case of its own."""
    case = {
        "referral_id": f"r-{number}",
        "case_number": f"（2026）黔01司救执{number}号",
        "original_case_group": f"（2025）黔0102民初{number}号",
    }
    return world.court.sign("referral.submitted", a_referral_body(**{**case, **changes}), now=world.now)


def forge(partner: Partner, payload: bytes, *, typ: str = MESSAGE_TYP, alg: str = "Ed25519") -> bytes:
    """Any payload bytes under a registered key: the sender is known, what it says may be anything."""
    signing_input = encode_header(Header(alg=alg, kid=partner.key.kid, typ=typ)) + b"." + encode_segment(payload)
    return signing_input + b"." + encode_segment(partner.key.sign(signing_input))


def post(client: FlaskClient, raw: bytes, *, language: str = "zh", content_type: str = JOSE) -> TestResponse:
    """One message."""
    headers = {"Accept-Language": language}
    return client.post("/v1/messages", data=raw, content_type=content_type, headers=headers)


def post_batch(client: FlaskClient, raw: bytes, *, language: str = "zh") -> list[str]:
    """The lines of the answer."""
    headers = {"Accept-Language": language}
    response = client.post("/v1/messages/batch", data=raw, content_type=NDJSON, headers=headers)
    assert (response.status_code, response.mimetype) == (200, NDJSON)
    text = response.get_data(as_text=True)
    assert text == "" or text.endswith("\n")
    return text.splitlines()


def a_token(world: World, partner: Partner, path: str, *, method: str = "GET", **changes: Any) -> str:
    """A token for one request that nobody used yet."""
    honest = {"audience": GATEWAY, "now": world.now, "jti": f"token-{next(_numbers)}", "url": HERE + path}
    return token.issue(partner.key, method=method, **{**honest, **changes})


def get(client: FlaskClient, world: World, partner: Partner, path: str, *, language: str = "zh") -> TestResponse:
    """A read as its party makes it."""
    authorization = f"Bearer {a_token(world, partner, path)}"
    return client.get(path, headers={"Authorization": authorization, "Accept-Language": language})


def receipt_of(world: World, raw: str | bytes, *, recipient: str) -> Receipt:
    """A receipt, proven to be the gateway's."""
    text = raw.encode() if isinstance(raw, str) else raw
    return read(text, world.keyring, recipient=recipient, issuer=GATEWAY, now=world.now)


def problem_of(response: TestResponse) -> dict[str, Any]:
    """The problem document of an answer, whose status it repeats."""
    assert response.mimetype == PROBLEM, response.get_data(as_text=True)[:200]
    found: dict[str, Any] = json.loads(response.get_data())
    assert found["status"] == response.status_code
    return found


def told(response: TestResponse) -> tuple[int, str]:
    """Status and code of a refusal."""
    found = problem_of(response)
    return response.status_code, found["code"]
