"""Published vectors: the standards' own examples, and messages for a partner's implementation to check."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.envelope.algorithms import Algorithm, load_verifier, thumbprint
from gateway.envelope.compact import decode_segment
from gateway.envelope.keyring import Keyring, PublicKey
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import XianjieError

FOLDER = Path(__file__).parent.parent / "vectors" / "envelope"
STANDARDS = json.loads((FOLDER / "standards.json").read_text("utf-8"))
MESSAGES = json.loads((FOLDER / "messages.json").read_text("utf-8"))
NOW = datetime.fromisoformat(MESSAGES["now"])
KEYRING = Keyring(
    [
        PublicKey(
            kid=key["kid"],
            party_id=key["party_id"],
            alg=Algorithm(key["alg"]),
            jwk=key["jwk"],
            not_before=NOW - timedelta(days=1),
        )
        for key in MESSAGES["keys"]
    ],
    {key["party_id"]: "court" for key in MESSAGES["keys"]},
)


def named(vectors: list[dict[str, Any]], by: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=[vector[by] for vector in vectors])


def proven(vector: Mapping[str, Any]) -> VerifiedMessage:
    return verify(vector["jws"].encode(), KEYRING, recipient=MESSAGES["recipient"], now=NOW)


@named(STANDARDS["signatures"], by="source")
def test_the_standard_s_own_signature_is_verified(vector: dict[str, Any]) -> None:
    verifier = load_verifier(Algorithm(vector["alg"]), vector["jwk"])
    signature, message = decode_segment(vector["signature"].encode()), vector["signing_input"].encode()
    assert verifier.verify(signature, message)
    assert not verifier.verify(signature, message + b"x")


@named([vector for vector in STANDARDS["signatures"] if "thumbprint" in vector], by="source")
def test_the_standard_s_own_key_has_its_published_thumbprint(vector: dict[str, Any]) -> None:
    assert vector["thumbprint"] == thumbprint(vector["jwk"])


@named(MESSAGES["accepted"], by="why")
def test_a_message_every_implementation_accepts(vector: dict[str, Any]) -> None:
    message = proven(vector)
    assert (vector["party_id"], vector["digest"]) == (message.party_id, message.digest)


@named(MESSAGES["refused"], by="why")
def test_a_message_every_implementation_refuses(vector: dict[str, Any]) -> None:
    with pytest.raises(XianjieError) as caught:
        proven(vector)
    assert (vector["code"], vector["note"]) == (caught.value.code, caught.value.note)


def test_a_kid_of_the_vectors_is_its_key_s_thumbprint() -> None:
    assert [key["kid"] for key in MESSAGES["keys"]] == [thumbprint(key["jwk"]) for key in MESSAGES["keys"]]
