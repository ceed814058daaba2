"""JWE: what leaves is opened by its recipient alone, what comes in is opened only when every part is as agreed.

The derivation of RFC 7518 §4.6.2 is written out here a second time with hashlib, checked against the standard's own
example, and used to build a message between the key pairs RFC 8037 A.6 prints: an implementation that is not ours.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x448
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from gateway.envelope import encryption
from gateway.envelope.compact import MAX_JWS_BYTES
from gateway.envelope.encryption import EncryptionKey, decrypt, encrypt, is_encrypted
from gateway.envelope.keyring import KeyAgreement, Keyring, PublicKey
from gateway.errors import ConfigError, NotJose, TooLarge, TrustError, XianjieError
from tests.envelope_world import AGENCY, COURT, NOW, b64, key_of, received, registered, signed

VECTORS = Path(__file__).parent.parent / "vectors" / "envelope"
STANDARD = json.loads((VECTORS / "standards.json").read_text("utf-8"))["key_agreements"]
ENCRYPTED = json.loads((VECTORS / "encrypted.json").read_text("utf-8"))
KEY = EncryptionKey.generate(AGENCY)
OTHER = EncryptionKey.generate(AGENCY)
P = 2**255 - 19
LOW_ORDER = [
    0,
    1,
    P - 1,
    P,
    P + 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
]


def public(key: EncryptionKey = KEY, **changes: Any) -> PublicKey:
    return replace(key.public_key(not_before=NOW - timedelta(days=1)), **changes)


def members_of(jwe: bytes) -> dict[str, Any]:
    head = jwe.split(b".")[0]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    return found


def derived(secret: bytes, algorithm: str, bits: int, apu: bytes = b"", apv: bytes = b"") -> bytes:
    """One round of the Concat KDF with SHA-256, as RFC 7518 §4.6.2 lays its input out."""
    name = algorithm.encode()
    counted = [len(part).to_bytes(4, "big") + part for part in (name, apu, apv)]
    return sha256(b"\0\0\0\1" + secret + b"".join(counted) + bits.to_bytes(4, "big")).digest()[: bits // 8]


def sealed(
    plain: bytes,
    *,
    to: EncryptionKey = KEY,
    header: Callable[[dict[str, Any]], Any] = lambda honest: honest,
    ephemeral: X25519PrivateKey | None = None,
) -> bytes:
    """A JWE made without our code or joserfc's; header: changes what is signed for by the tag."""
    ephemeral = ephemeral or X25519PrivateKey.generate()
    theirs = X25519PublicKey.from_public_bytes(urlsafe_b64decode(to.public_jwk()["x"] + "="))
    own = b64(ephemeral.public_key().public_bytes_raw()).decode()
    honest = {
        "alg": "ECDH-ES",
        "enc": "A256GCM",
        "kid": to.kid,
        "typ": "JOSE",
        "cty": "xianjie-message+jws",
        "epk": {"kty": "OKP", "crv": "X25519", "x": own},
    }
    changed = header(honest)
    head = b64(changed if isinstance(changed, bytes) else json.dumps(changed).encode())
    box = AESGCM(derived(ephemeral.exchange(theirs), "A256GCM", 256)).encrypt(bytes(12), plain, head)
    return b".".join([head, b"", b64(bytes(12)), b64(box[:-16]), b64(box[-16:])])


def refusal(raw: bytes, *keys: EncryptionKey) -> tuple[type[XianjieError], str]:
    with pytest.raises(XianjieError) as caught:
        decrypt(raw, keys or [KEY])
    return type(caught.value), caught.value.note


# --- there and back -------------------------------------------------------------------------------------------------


def test_what_was_wrapped_for_a_party_is_opened_by_it_byte_for_byte() -> None:
    jwe = encrypt(signed(), public()).encode()
    assert (True, False) == (is_encrypted(jwe), is_encrypted(signed()))
    assert signed() not in jwe
    assert COURT == received(decrypt(jwe, [OTHER, KEY])).party_id


def test_the_header_holds_exactly_what_was_agreed() -> None:
    members = members_of(encrypt(signed(), public()).encode())
    point = members.pop("epk")
    assert {
        "alg": "ECDH-ES",
        "enc": "A256GCM",
        "kid": KEY.kid,
        "typ": "JOSE",
        "cty": "xianjie-message+jws",
    } == members
    assert ({"kty", "crv", "x"}, "OKP", "X25519") == (set(point), point["kty"], point["crv"])


def test_the_same_message_is_never_wrapped_the_same_way_twice() -> None:
    first, second = (encrypt(signed(), public()).encode().split(b".") for _ in range(2))
    assert all(one != two for at, (one, two) in enumerate(zip(first, second, strict=True)) if at != 1)


@given(st.binary(min_size=1, max_size=2000))
def test_any_bytes_come_back(plain: bytes) -> None:
    assert plain == decrypt(encrypt(plain, public()).encode(), [KEY])
    assert plain == decrypt(sealed(plain), [KEY])


def test_the_largest_message_fits_and_a_larger_one_is_refused() -> None:
    largest = b"a" * MAX_JWS_BYTES
    jwe = encrypt(largest, public()).encode()
    assert len(jwe) <= encryption.MAX_JWE_BYTES
    assert largest == decrypt(jwe, [KEY])
    with pytest.raises(ValueError):
        encrypt(largest + b"a", public())
    assert (TooLarge, "jwe") == refusal(jwe + b"A" * 1000)


# --- the standards' own numbers -------------------------------------------------------------------------------------


def test_the_key_derivation_written_here_is_rfc_7518_appendix_c() -> None:
    vector = STANDARD["RFC 7518 C"]
    made = derived(bytes(vector["z"]), vector["algorithm"], vector["bits"], b"Alice", b"Bob")
    assert vector["derived"] == b64(made).decode()


def test_rfc_8037_a_6_agrees_on_its_published_secret_and_we_open_what_it_wraps() -> None:
    vector = STANDARD["RFC 8037 A.6"]
    ephemeral = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["ephemeral_secret"]))
    bob = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["recipient_secret"]))
    pem = bob.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key = EncryptionKey.load_pem(pem, AGENCY)
    assert vector["recipient_jwk"]["x"] == key.public_jwk()["x"]
    assert vector["z"] == ephemeral.exchange(bob.public_key()).hex()
    jwe = sealed(b"from a standard", to=key, ephemeral=ephemeral)
    assert vector["epk"] == members_of(jwe)["epk"]
    assert b"from a standard" == decrypt(jwe, [key])


@pytest.mark.parametrize("vector", ENCRYPTED["opened"], ids=lambda vector: vector["why"])
def test_a_message_every_implementation_opens(vector: dict[str, Any]) -> None:
    assert vector["jws"] == decrypt(vector["jwe"].encode(), [PUBLISHED]).decode()


@pytest.mark.parametrize("vector", ENCRYPTED["refused"], ids=lambda vector: vector["why"])
def test_a_message_no_implementation_opens(vector: dict[str, Any]) -> None:
    kind, note = refusal(vector["jwe"].encode(), PUBLISHED)
    assert (vector["code"], vector["note"]) == (kind.code, note)


PUBLISHED = EncryptionKey.load_pem(ENCRYPTED["private_key_pem"].encode(), AGENCY)


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [0, 2, 3, 4])
def test_a_bit_changed_in_any_part_opens_nothing(part: int) -> None:
    segments = encrypt(signed(), public()).encode().split(b".")
    middle = len(segments[part]) // 2
    turned = b"A" if segments[part][middle : middle + 1] != b"A" else b"B"
    segments[part] = segments[part][:middle] + turned + segments[part][middle + 1 :]
    kind, _ = refusal(b".".join(segments))
    assert kind in (TrustError, NotJose)


@pytest.mark.parametrize("part", [0, 2, 3, 4])
def test_a_part_of_another_message_opens_nothing(part: int) -> None:
    one, other = (encrypt(signed(), public()).encode().split(b".") for _ in range(2))
    one[part] = other[part]
    assert (TrustError, "not_decrypted") == refusal(b".".join(one))


def test_a_key_that_was_wrapped_has_no_place() -> None:
    segments = encrypt(signed(), public()).encode().split(b".")
    segments[1] = b"AAAA"
    assert (NotJose, "encrypted_key") == refusal(b".".join(segments))


@pytest.mark.parametrize("raw", [b"", b"....", signed(), b"a.b.c.d.e.f", b"AA..AA.AA.AA"])
def test_what_is_no_jwe_is_refused(raw: bytes) -> None:
    assert NotJose is refusal(raw)[0]


@pytest.mark.parametrize("part", [2, 3, 4])
def test_every_spelling_but_the_canonical_one_is_refused(part: int) -> None:
    for spoil in (lambda s: s + b"=", lambda s: s[:-1] + b"+", lambda s: b" " + s, lambda s: s[:-4]):
        segments = encrypt(signed(), public()).encode().split(b".")
        segments[part] = spoil(segments[part])
        assert refusal(b".".join(segments))[0] in (NotJose, TrustError)


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "ECDH-ES+A256KW"},
        {"alg": "dir"},
        {"alg": "RSA-OAEP"},
        {"enc": "A128GCM"},
        {"enc": "A128CBC-HS256"},
        {"zip": "DEF"},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"apu": "QWxpY2U"},
        {"apv": "Qm9i"},
        {"jku": "https://example.org/keys"},
        {"jwk": KEY.public_jwk()},
        {"x5u": "https://example.org"},
        {"p2c": 1},
        {"iv": "AAAA"},
        {"typ": "xianjie-message+jws"},
        {"cty": "JWT"},
        {"cty": "xianjie-receipt+jws"},
        {"typ": None},
        {"cty": None},
        {"kid": None},
        {"epk": None},
        {"alg": None},
        {"enc": ["A256GCM"]},
    ],
    ids=count(),
)
def test_every_other_header_is_refused_although_its_tag_holds(change: dict[str, Any]) -> None:
    def spoil(honest: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in (honest | change).items() if value is not None}

    assert (TrustError, "header_not_allowed") == refusal(sealed(signed(), header=spoil))


def test_a_header_that_says_a_thing_twice_is_refused() -> None:
    raw = sealed(signed(), header=lambda honest: json.dumps(honest).encode()[:-1] + b',"enc":"A256GCM"}')
    assert (NotJose, "header_json") == refusal(raw)


@pytest.mark.parametrize("header", [b"[]", b"7", b"{", b"\xff", b"{}" + b" " * 600])
def test_a_header_that_is_no_small_object_is_refused(header: bytes) -> None:
    assert NotJose is refusal(sealed(signed(), header=lambda _: header))[0]


@pytest.mark.parametrize("kid", [OTHER.kid, "", 7, [KEY.kid], {"kid": KEY.kid}], ids=count())
def test_a_message_that_names_another_key_is_refused(kid: Any) -> None:
    raw = sealed(signed(), header=lambda honest: honest | {"kid": kid})
    assert (TrustError, "unknown_encryption_kid") == refusal(raw)


def test_a_message_for_another_party_is_refused() -> None:
    assert (TrustError, "unknown_encryption_kid") == refusal(encrypt(signed(), public(OTHER)).encode())
    named = sealed(signed(), to=OTHER, header=lambda honest: honest | {"kid": KEY.kid})
    assert (TrustError, "not_decrypted") == refusal(named)


@pytest.mark.parametrize("high_bit", [0, 2**255])
@pytest.mark.parametrize("point", LOW_ORDER)
def test_a_point_of_low_order_is_refused(point: int, high_bit: int) -> None:
    """With one of these everybody knows the agreed secret: it is zero."""
    x = b64((point | high_bit).to_bytes(32, "little")).decode()
    jwk = {"kty": "OKP", "crv": "X25519", "x": x}
    raw = sealed(signed(), header=lambda honest: honest | {"epk": jwk})
    assert (TrustError, "not_decrypted") == refusal(raw)
    with pytest.raises(ConfigError, match="jwk_point"):
        PublicKey.from_jwk(jwk, AGENCY, not_before=NOW)


@pytest.mark.parametrize(
    "epk",
    [
        "x",
        [],
        {},
        {"kty": "OKP", "crv": "X25519"},
        {"kty": "OKP", "crv": "Ed25519", "x": KEY.public_jwk()["x"]},
        {"kty": "EC", "crv": "X25519", "x": KEY.public_jwk()["x"]},
        {"kty": "OKP", "crv": "X448", "x": "A" * 75},
        {"kty": "OKP", "crv": "X25519", "x": KEY.public_jwk()["x"] + "="},
        {"kty": "OKP", "crv": "X25519", "x": "AAAA"},
        {"kty": "OKP", "crv": "X25519", "x": 7},
        {**KEY.public_jwk(), "d": KEY.public_jwk()["x"]},
        {**KEY.public_jwk(), "kid": "x"},
        {**KEY.public_jwk(), "alg": "ECDH-ES"},
    ],
    ids=count(),
)
def test_an_ephemeral_key_that_is_no_bare_point_is_refused(epk: Any) -> None:
    assert (TrustError, "epk") == refusal(sealed(signed(), header=lambda honest: honest | {"epk": epk}))


def test_every_failure_of_trust_looks_alike_outside() -> None:
    honest = encrypt(signed(), public()).encode()
    broken = [
        encrypt(signed(), public(OTHER)).encode(),
        honest[:-2] + (b"AA" if not honest.endswith(b"AA") else b"BA"),
        sealed(signed(), header=lambda members: members | {"zip": "DEF"}),
        sealed(signed(), header=lambda members: members | {"epk": {}}),
    ]
    seen = set()
    for raw in broken:
        with pytest.raises(TrustError) as caught:
            decrypt(raw, [KEY])
        seen.add((caught.value.code, caught.value.status, caught.value.title, caught.value.next_step))
    assert 1 == len(seen)


def test_a_message_wrapped_twice_is_no_message() -> None:
    inner = encrypt(signed(), public())
    opened = decrypt(encrypt(inner, public()).encode(), [KEY])
    assert inner == opened.decode()
    with pytest.raises(NotJose, match="segments"):
        received(opened)


def test_what_is_inside_still_has_to_be_proven() -> None:
    """Anybody can encrypt to a public key: that it opens says nothing about who wrote it."""
    forged = signed(key_of(AGENCY), source=COURT)
    with pytest.raises(TrustError, match="unknown_kid"):
        received(decrypt(encrypt(forged, public()).encode(), [KEY]))


# --- keys -----------------------------------------------------------------------------------------------------------


def test_a_key_survives_its_pem_and_is_never_printed() -> None:
    again = EncryptionKey.load_pem(KEY.to_pem(), AGENCY)
    assert (KEY, KEY.public_jwk()) == (again, again.public_jwk())
    assert f"EncryptionKey(kid='{KEY.kid}', party_id='{AGENCY}')" == repr(KEY)
    assert {"kty", "crv", "x"} == set(KEY.public_jwk())


@pytest.mark.parametrize(
    "key",
    [ed25519.Ed25519PrivateKey.generate(), x448.X448PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())],
)
def test_a_key_of_another_kind_is_refused(key: Any) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with pytest.raises(ConfigError, match="private_key_kind"):
        EncryptionKey.load_pem(pem, AGENCY)
    with pytest.raises(ConfigError, match="private_key_unreadable"):
        EncryptionKey.load_pem(b"none", AGENCY)


def test_nothing_is_wrapped_for_a_key_that_signs() -> None:
    with pytest.raises(ConfigError, match="key_not_for_encryption"):
        encrypt(signed(), registered(key_of()))


def test_an_encryption_key_is_registered_as_one_and_signs_nothing() -> None:
    read = PublicKey.from_jwk({**KEY.public_jwk(), "use": "sig", "kid": "x"}, AGENCY, not_before=NOW)
    assert (KeyAgreement.ECDH_ES, "enc", KEY.kid) == (read.alg, read.use, read.kid)
    assert "key_not_for_signing" == read.refusal_at(NOW)
    ring = Keyring([read], {AGENCY: "agency"})
    assert not ring.signature_is_of(KEY.kid, bytes(64), b"x")
    with pytest.raises(ConfigError, match="key_use_not_of_algorithm"):
        PublicKey(kid=KEY.kid, party_id=AGENCY, alg=KeyAgreement.ECDH_ES, jwk=KEY.public_jwk(), not_before=NOW)


def test_the_key_to_encrypt_to_is_the_newest_that_counts() -> None:
    day = timedelta(days=1)
    early = public(KEY, not_before=NOW - 9 * day, not_after=NOW + day)
    late = public(OTHER, not_before=NOW - 2 * day)
    ring = Keyring([late, early, registered(key_of(AGENCY))], {})
    chosen = [ring.encryption_key_of(AGENCY, NOW + at * day) for at in (-10, -5, 0, 2)]
    assert [None, early, late, late] == chosen
    assert None is ring.encryption_key_of(COURT, NOW)
    revoked = Keyring([public(OTHER, not_before=NOW - 2 * day, revoked_at=NOW), early], {})
    assert [early, None] == [revoked.encryption_key_of(AGENCY, NOW + at * day) for at in (0, 1)]
