"""A message becomes trusted only by proof: who may sign what, and every known way to pretend."""

import copy
import dataclasses
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from gateway.envelope.keyring import Algorithm, Keyring
from gateway.envelope.message import Envelope, digest
from gateway.envelope.signing import MESSAGE_TYP, RECEIPT_TYP, VerifiedMessage, sign
from gateway.errors import (
    MalformedJson,
    NotJose,
    SchemaInvalid,
    StaleMessage,
    TooLarge,
    TrustError,
    WrongRecipient,
    XianjieError,
)
from tests.envelope_world import (
    ACTIVE,
    AGENCY,
    COURT,
    DIGEST,
    GATEWAY,
    NOW,
    a_keyring,
    an_envelope,
    b64,
    forge,
    honest_header,
    key_of,
    payload_of,
    received,
    registered,
    signed,
)

EVERY_ALGORITHM = list(Algorithm)


def refusal(raw: bytes, keyring: Keyring | None = None, **changes: Any) -> str:
    """The log note of the trust failure this message meets."""
    with pytest.raises(TrustError) as caught:
        received(raw, keyring, **changes)
    return caught.value.note


def not_jose(raw: bytes) -> str:
    with pytest.raises(NotJose) as caught:
        received(raw)
    return caught.value.note


def with_header(**changes: Any) -> bytes:
    return forge(honest_header(key_of(), **changes), an_envelope().to_payload(), key_of())


# --- what is accepted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", EVERY_ALGORITHM)
def test_an_honest_message_is_proven_with_every_algorithm(alg: Algorithm) -> None:
    key = key_of(COURT, alg)
    raw = signed(key)
    message = received(raw, a_keyring([registered(key)]))
    assert an_envelope() == message.envelope
    assert (key.kid, COURT, alg) == (message.kid, message.party_id, message.alg)


def test_the_bytes_received_are_kept_and_named_by_their_digest() -> None:
    raw = signed()
    message = received(raw)
    assert raw.decode() == message.jws
    assert digest(raw) == message.digest


def test_the_protected_header_is_exactly_alg_kid_typ() -> None:
    header = jws.extract_compact(signed()).headers()
    assert {"alg": "Ed25519", "kid": key_of().kid, "typ": MESSAGE_TYP} == header


def test_the_older_spelling_eddsa_is_read_as_ed25519() -> None:
    assert Algorithm.ED25519 == received(with_header(alg="EdDSA")).alg


def test_the_older_spelling_does_not_open_another_algorithm() -> None:
    key = key_of(COURT, Algorithm.ES256)
    raw = forge(honest_header(key, alg="EdDSA"), an_envelope().to_payload(), key)
    assert "alg_mismatch" == refusal(raw, a_keyring([registered(key)]))


@pytest.mark.parametrize(("alg", "kind"), [(Algorithm.ED25519, OKPKey), (Algorithm.ES256, ECKey)])
def test_an_ordinary_jose_library_verifies_ours(alg: Algorithm, kind: Any) -> None:
    key = key_of(COURT, alg)
    found = jws.deserialize_compact(signed(key), kind.import_key(key.public_jwk()), algorithms=[alg.value])
    assert an_envelope().to_payload() == found.payload


@pytest.mark.parametrize(("alg", "kind"), [(Algorithm.ED25519, OKPKey), (Algorithm.ES256, ECKey)])
def test_we_verify_an_ordinary_jose_library_s(alg: Algorithm, kind: Any) -> None:
    key = key_of(COURT, alg)
    raw = jws.serialize_compact(
        honest_header(key), an_envelope().to_payload(), kind.import_key(key.to_pem()), algorithms=[alg.value]
    )
    assert an_envelope() == received(raw.encode(), a_keyring([registered(key)])).envelope


def test_a_receipt_is_proven_under_its_own_typ() -> None:
    answer = an_envelope(type="receipt.submission", in_reply_to="0195-1", in_reply_to_digest=DIGEST)
    raw = sign(answer.to_payload(), key_of(), RECEIPT_TYP).encode()
    assert DIGEST == received(raw, typ=RECEIPT_TYP).envelope.in_reply_to_digest


# --- trust cannot be made by hand -----------------------------------------------------------------------------------


def test_a_verified_message_cannot_be_constructed() -> None:
    with pytest.raises(TypeError):
        VerifiedMessage(
            envelope=an_envelope(),
            jws="a.b.c",
            digest=DIGEST,
            kid=key_of().kid,
            party_id=COURT,
            alg=Algorithm.ED25519,
            proof=object(),
        )


def test_a_verified_message_cannot_be_altered_into_another() -> None:
    message = received(signed())
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(message, party_id=AGENCY)  # type: ignore[call-arg]
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.party_id = AGENCY  # type: ignore[misc]


def test_a_copy_of_a_verified_message_is_the_same_message() -> None:
    message = received(signed())
    assert message == copy.copy(message)


# --- the header ----------------------------------------------------------------------------------------------------


def test_alg_none_without_signature_is_not_a_jws() -> None:
    head, body, _ = with_header(alg="none").split(b".")
    assert "empty_segment" == not_jose(head + b"." + body + b".")


@pytest.mark.parametrize("alg", ["none", "NONE", "HS256", "HS512", "RS256", "ES256", "ed25519", "", "Ed25519 "])
def test_an_algorithm_that_is_not_the_registered_key_s_is_refused(alg: str) -> None:
    assert "alg_mismatch" == refusal(with_header(alg=alg))


def test_a_hash_keyed_with_the_public_key_is_refused() -> None:
    header = b64(json.dumps(honest_header(key_of(), alg="HS256")).encode())
    signing_input = header + b"." + b64(an_envelope().to_payload())
    public = json.dumps(key_of().public_jwk()).encode()
    raw = signing_input + b"." + b64(hmac.digest(public, signing_input, "sha256"))
    assert "alg_mismatch" == refusal(raw)


@pytest.mark.parametrize(
    "extra",
    [
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}},
        {"jku": "https://attacker.example/keys"},
        {"x5u": "https://attacker.example/cert"},
        {"x5c": ["MIIB"]},
        {"x5t": "abc"},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"cty": "json"},
        {"zip": "DEF"},
        {"unknown": 1},
    ],
)
def test_every_header_member_but_alg_kid_typ_is_refused(extra: dict[str, Any]) -> None:
    assert "header_not_allowed" == refusal(with_header(**extra))


@pytest.mark.parametrize("name", ["alg", "kid", "typ"])
def test_a_missing_header_member_is_refused(name: str) -> None:
    assert "header_not_allowed" == refusal(with_header(**{name: None}))


@pytest.mark.parametrize("value", [1, True, [], {}, ["Ed25519"]])
@pytest.mark.parametrize("name", ["alg", "kid", "typ"])
def test_a_header_member_that_is_not_a_text_is_refused(name: str, value: Any) -> None:
    assert "header_not_allowed" == refusal(with_header(**{name: value}))


def test_a_null_header_member_is_refused() -> None:
    header = json.dumps({**honest_header(key_of()), "kid": None}).encode()
    assert "header_not_allowed" == refusal(forge(header, an_envelope().to_payload(), key_of()))


def test_a_duplicate_header_key_is_refused() -> None:
    header = json.dumps(honest_header(key_of())).encode()[:-1] + b',"alg":"none"}'
    assert "header_json" == not_jose(forge(header, an_envelope().to_payload(), key_of()))


@pytest.mark.parametrize("header", [b"", b"[]", b'"text"', b"null", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 200])
def test_a_header_that_is_no_json_object_is_refused(header: bytes) -> None:
    assert not_jose(forge(header, an_envelope().to_payload(), key_of())) in {"header_json", "header_size"}


def test_an_oversized_header_is_refused_unread() -> None:
    assert "header_size" == not_jose(with_header(kid="k" * 5000))


@pytest.mark.parametrize("typ", [RECEIPT_TYP, "JWT", "", "XIANJIE-MESSAGE+JWS", "application/xianjie-message+jws"])
def test_another_typ_is_refused(typ: str) -> None:
    assert "wrong_typ" == refusal(with_header(typ=typ))


def test_a_message_does_not_pass_for_a_receipt() -> None:
    assert "wrong_typ" == refusal(signed(), typ=RECEIPT_TYP)


# --- the spelling ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw + b"=",
        lambda raw: raw + b"==",
        lambda raw: raw.replace(b".", b"=.", 1),
        lambda raw: raw + b"\n",
        lambda raw: b" " + raw,
        lambda raw: raw.replace(b".", b". ", 1),
        lambda raw: raw[:40] + b"\r\n" + raw[40:],
        lambda raw: raw + b".",
        lambda raw: raw + b".abc",
        lambda raw: raw.replace(b".", b"", 1),
        lambda raw: raw[:50] + b"+" + raw[51:],
        lambda raw: raw[:50] + b"/" + raw[51:],
        lambda raw: raw[:-1] + b"\x00",
        lambda raw: raw[:-1] + "é".encode(),
        lambda raw: raw + b"A",
        lambda _: b"",
        lambda _: b"..",
        lambda raw: b"." + raw,
        lambda raw: raw.split(b".")[0] + b".." + raw.split(b".")[2],
    ],
)
def test_only_the_canonical_spelling_of_a_compact_jws_is_read(spoil: Any) -> None:
    with pytest.raises((NotJose, TrustError)):
        received(spoil(signed()))


def test_left_over_bits_in_the_signature_are_refused() -> None:
    raw = signed()
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = raw[:-1] + bytes([alphabet[alphabet.index(raw[-1]) + 1]])
    assert "base64url" == not_jose(twin)


def test_left_over_bits_in_a_signed_payload_are_refused() -> None:
    key = key_of()
    header = b64(json.dumps(honest_header(key)).encode())
    payload = payload_of()
    body = b64(payload + b" " * ((1 - len(payload)) % 3))
    signing_input = header + b"." + body[:-1] + bytes([body[-1] + 1])
    assert "base64url" == not_jose(signing_input + b"." + b64(key.sign(signing_input)))


def test_the_json_serialisation_is_refused() -> None:
    head, body, signature = (part.decode() for part in signed().split(b"."))
    flattened = json.dumps({"protected": head, "payload": body, "signature": signature})
    general = json.dumps({"payload": body, "signatures": [{"protected": head, "signature": signature}]})
    for text in (flattened, general):
        with pytest.raises(NotJose):
            received(text.encode())


def test_a_jwe_shaped_body_is_refused() -> None:
    assert "segments" == not_jose(b"eyJhbGciOiJFQ0RILUVTIn0..aaaa.bbbb.cccc")


def test_too_large_a_body_is_refused_before_anything_is_read() -> None:
    with pytest.raises(TooLarge):
        received(b"." * 600_000)


# --- the key ----------------------------------------------------------------------------------------------------


def test_an_unregistered_key_is_refused() -> None:
    assert "unknown_kid" == refusal(signed(key_of(AGENCY)))


def test_a_registered_kid_does_not_cover_another_key_s_signature() -> None:
    stranger = key_of(AGENCY)
    assert "bad_signature" == refusal(forge(honest_header(key_of()), an_envelope().to_payload(), stranger))


def test_a_swapped_payload_is_refused() -> None:
    head, _, signature = signed().split(b".")
    body = b64(an_envelope(data={"decided_amount_fen": 9_000_000}).to_payload())
    assert "bad_signature" == refusal(b".".join([head, body, signature]))


def test_a_swapped_header_is_refused() -> None:
    _, body, signature = signed().split(b".")
    head = b64(json.dumps(honest_header(key_of(), alg="EdDSA")).encode())
    assert "bad_signature" == refusal(b".".join([head, body, signature]))


@pytest.mark.parametrize("alg", EVERY_ALGORITHM)
@pytest.mark.parametrize("length", [1, 3, 63, 65, 72])
def test_a_signature_of_another_length_is_refused(alg: Algorithm, length: int) -> None:
    key = key_of(COURT, alg)
    head, body, _ = signed(key).split(b".")
    raw = b".".join([head, body, b64(b"\x01" * length)])
    assert "bad_signature" == refusal(raw, a_keyring([registered(key)]))


@pytest.mark.parametrize("alg", EVERY_ALGORITHM)
def test_a_signature_of_zeroes_is_refused(alg: Algorithm) -> None:
    key = key_of(COURT, alg)
    head, body, _ = signed(key).split(b".")
    assert "bad_signature" == refusal(b".".join([head, body, b64(bytes(64))]), a_keyring([registered(key)]))


@pytest.mark.parametrize("claimed", EVERY_ALGORITHM)
@pytest.mark.parametrize("real", EVERY_ALGORITHM)
def test_no_algorithm_passes_for_another(real: Algorithm, claimed: Algorithm) -> None:
    if real == claimed:
        return
    key = key_of(COURT, real)
    raw = forge(honest_header(key, alg=claimed.value), an_envelope().to_payload(), key)
    assert "alg_mismatch" == refusal(raw, a_keyring([registered(key)]))


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"not_after": NOW}, "key_expired"),
        ({"not_after": NOW - timedelta(days=1)}, "key_expired"),
        ({"not_before": NOW + timedelta(seconds=1)}, "key_not_yet_valid"),
        ({"revoked_at": NOW}, "key_revoked"),
        ({"revoked_at": NOW - timedelta(days=1)}, "key_revoked"),
        ({"use": "enc"}, "key_not_for_signing"),
    ],
)
def test_a_key_out_of_use_is_refused(changes: dict[str, Any], note: str) -> None:
    assert note == refusal(signed(), a_keyring([registered(key_of(), **changes)]))


@pytest.mark.parametrize(
    "changes",
    [
        {"not_before": NOW},
        {"not_after": NOW + timedelta(microseconds=1)},
        {"not_after": None},
        {"revoked_at": NOW + timedelta(seconds=1)},
    ],
)
def test_a_key_is_used_up_to_its_last_moment(changes: dict[str, Any]) -> None:
    assert COURT == received(signed(), a_keyring([registered(key_of(), **changes)])).party_id


def test_a_message_in_another_party_s_name_is_refused() -> None:
    assert "source_mismatch" == refusal(signed(source=AGENCY))


@pytest.mark.parametrize("active", [{}, {AGENCY: "civil_affairs"}])
def test_a_suspended_party_is_refused(active: dict[str, str]) -> None:
    assert "party_suspended" == refusal(signed(), a_keyring(active=active))


def test_every_trust_failure_answers_alike() -> None:
    failures = []
    for raw in (signed(key_of(AGENCY)), with_header(alg="none"), signed(source=AGENCY), with_header(crit=[])):
        with pytest.raises(TrustError) as caught:
            received(raw)
        failures.append((caught.value.code, caught.value.status, caught.value.title))
    assert 1 == len(set(failures))


# --- the payload, read only after the signature ---------------------------------------------------------------------


def test_nothing_of_an_unproven_payload_is_read() -> None:
    raw = forge(honest_header(key_of()), b"{not json", key_of(AGENCY))
    assert "bad_signature" == refusal(raw)


@pytest.mark.parametrize(
    ("payload", "note"),
    [
        (b'{"id":"a","id":"b"}', "duplicate_key"),
        (b'{"data":{"x":{"k":1,"\\u006b":2}}}', "duplicate_key"),
        (b'{"data":' + b"[" * 40 + b"]" * 40 + b"}", "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b'{"seq":9007199254740992}', "integer_out_of_range"),
        (b'{"seq":' + b"9" * 100_000 + b"}", "integer_out_of_range"),
        (b'{"data":"\\ud800"}', "lone_surrogate"),
        (b'{"\\udfff":1}', "lone_surrogate"),
        (b'{"data":{"decided_amount_fen":1.5}}', "float"),
        (b'{"data":1e3}', "float"),
        (b'{"data":NaN}', "not_a_number"),
        (b'{"data":-Infinity}', "not_a_number"),
        (b"\xef\xbb\xbf{}", "syntax"),
        (b'{"data":"\xff"}', "not_utf8"),
        (b'{"data":"\xed\xa0\x80"}', "not_utf8"),
        (b"{} {}", "syntax"),
        (b"{'id':1}", "syntax"),
        (b'{"data":"\n"}', "syntax"),
    ],
)
def test_a_payload_outside_i_json_is_refused(payload: bytes, note: str) -> None:
    with pytest.raises(MalformedJson) as caught:
        received(forge(honest_header(key_of()), payload, key_of()))
    assert note == caught.value.note


@pytest.mark.parametrize("payload", [b"[]", b"null", b'"text"', b"1", b"true"])
def test_a_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(SchemaInvalid) as caught:
        received(forge(honest_header(key_of()), payload, key_of()))
    assert [("", "not_object")] == [(problem.pointer, problem.code) for problem in caught.value.problems]


def test_a_payload_with_wrong_fields_names_every_one_of_them() -> None:
    payload = payload_of(id="x y", type="referral", time="yesterday", specversion="2.0", colour="red", seq=True)
    with pytest.raises(SchemaInvalid) as caught:
        received(forge(honest_header(key_of()), payload, key_of()))
    assert [
        ("/colour", "unknown_field"),
        ("/id", "pattern"),
        ("/seq", "not_integer"),
        ("/specversion", "unknown_code"),
        ("/time", "not_a_moment"),
        ("/type", "pattern"),
    ] == [(problem.pointer, problem.code) for problem in caught.value.problems]


@pytest.mark.parametrize("recipient", [AGENCY, "cn/gateway/520001", COURT])
def test_a_message_for_someone_else_is_refused(recipient: str) -> None:
    with pytest.raises(WrongRecipient):
        received(signed(recipient=recipient))


def test_a_receipt_that_names_nothing_is_refused() -> None:
    raw = sign(an_envelope().to_payload(), key_of(), RECEIPT_TYP).encode()
    with pytest.raises(SchemaInvalid) as caught:
        received(raw, typ=RECEIPT_TYP)
    assert [("/in_reply_to", "required")] == [(p.pointer, p.code) for p in caught.value.problems]


# --- the times ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW - timedelta(days=1)}, "expired"),
        ({"time": NOW + timedelta(minutes=5, milliseconds=1)}, "time_in_future"),
        ({"time": NOW + timedelta(days=365)}, "time_in_future"),
    ],
)
def test_a_message_outside_its_time_is_refused(changes: dict[str, Any], note: str) -> None:
    with pytest.raises(StaleMessage) as caught:
        received(signed(**changes))
    assert note == caught.value.note


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at": NOW + timedelta(milliseconds=1)},
        {"expires_at": None},
        {"time": NOW + timedelta(minutes=5)},
        {"time": NOW - timedelta(days=30)},
    ],
)
def test_a_message_within_its_time_is_accepted(changes: dict[str, Any]) -> None:
    assert COURT == received(signed(**changes)).party_id


def test_a_stored_message_is_proven_as_of_its_receipt_without_its_deadlines() -> None:
    raw = signed(expires_at=NOW + timedelta(seconds=1))
    later = a_keyring([registered(key_of(), revoked_at=NOW + timedelta(days=9))])
    with pytest.raises(StaleMessage):
        received(raw, later, now=NOW + timedelta(days=1))
    assert COURT == received(raw, later, now=NOW + timedelta(days=1), check_time=False).party_id


def test_a_stored_message_from_after_the_revocation_stays_refused() -> None:
    later = a_keyring([registered(key_of(), revoked_at=NOW - timedelta(days=9))])
    assert "key_revoked" == refusal(signed(), later, check_time=False)


# --- anything at all ------------------------------------------------------------------------------------------------

HONEST = signed()
KEYRING = a_keyring()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(HONEST) - 1), st.integers(0, 255))
def test_no_mutated_byte_ever_verifies(at: int, byte: int) -> None:
    mutated = HONEST[:at] + bytes([byte]) + HONEST[at + 1 :]
    if mutated == HONEST:
        return
    with pytest.raises(XianjieError):
        received(mutated, KEYRING)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(HONEST)), st.integers(0, len(HONEST)), st.binary(max_size=12))
def test_no_cut_or_inserted_bytes_ever_verify(start: int, end: int, inserted: bytes) -> None:
    mutated = HONEST[:start] + inserted + HONEST[end:]
    if mutated == HONEST:
        return
    with pytest.raises(XianjieError):
        received(mutated, KEYRING)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_our_own_errors(raw: bytes) -> None:
    with pytest.raises(XianjieError):
        received(raw, KEYRING)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([field.name for field in dataclasses.fields(Envelope)]), JSON_VALUES)
def test_a_key_holder_s_strangest_payload_is_accepted_or_refused_by_our_own_errors(name: str, value: Any) -> None:
    honest = json.loads(an_envelope().to_payload())
    raw = forge(honest_header(key_of()), json.dumps({**honest, name: value}).encode(), key_of())
    try:
        message = received(raw, KEYRING)
    except XianjieError:
        return
    assert COURT == message.envelope.source
    assert (GATEWAY, ACTIVE[COURT]) == (message.envelope.recipient, "court")
