"""Keys: loaded once, named by their thumbprint, refused when they are not what they say."""

import subprocess
import sys
from base64 import encodebytes
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from joserfc.jwk import ECKey, OKPKey

from gateway.envelope import algorithms
from gateway.envelope.keyring import Algorithm, Keyring, PublicKey, SigningKey
from gateway.errors import ConfigError
from tests.envelope_world import AGENCY, COURT, GATEWAY, NOW, a_keyring, key_of, registered

EVERY_ALGORITHM = list(Algorithm)
PKCS8 = serialization.PrivateFormat.PKCS8
WITHOUT_GMSSL = """
import sys
sys.modules["gmssl_pyx"] = None
from gateway.envelope.keyring import Algorithm, SigningKey
from gateway.errors import MissingExtra
SigningKey.generate(Algorithm.ED25519, "cn/court/520100")
try:
    SigningKey.generate(Algorithm.SM2, "cn/court/520100")
except MissingExtra as error:
    print(error.note)
"""


def pem_of(key: Any, password: bytes | None = None, format: Any = PKCS8) -> bytes:
    secrecy = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, format, secrecy)
    return pem


def wrapped(der: bytes) -> bytes:
    return b"-----BEGIN PRIVATE KEY-----\n" + encodebytes(der) + b"-----END PRIVATE KEY-----\n"


def refusal(pem: bytes, password: bytes | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        SigningKey.load_pem(pem, COURT, password)
    return caught.value.note


# --- a party's own key ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", EVERY_ALGORITHM)
def test_a_key_survives_its_pem(alg: Algorithm) -> None:
    key = SigningKey.generate(alg, COURT)
    again = SigningKey.load_pem(key.to_pem(), COURT)
    assert (key.kid, key.alg, key.public_jwk()) == (again.kid, again.alg, again.public_jwk())
    assert a_keyring([registered(key)]).signature_is_of(key.kid, again.sign(b"x"), b"x")


@pytest.mark.parametrize("alg", EVERY_ALGORITHM)
def test_a_pem_with_windows_line_ends_is_the_same_key(alg: Algorithm) -> None:
    key = SigningKey.generate(alg, COURT)
    assert key.kid == SigningKey.load_pem(b"\r\n" + key.to_pem().replace(b"\n", b"\r\n"), COURT).kid


@pytest.mark.parametrize("alg", [Algorithm.ED25519, Algorithm.ES256])
def test_our_pem_is_byte_for_byte_the_usual_one(alg: Algorithm) -> None:
    pem = SigningKey.generate(alg, COURT).to_pem()
    assert pem == pem_of(serialization.load_pem_private_key(pem, None))


def test_a_key_with_a_password_is_loaded_with_it_and_not_without() -> None:
    pem = pem_of(ec.generate_private_key(ec.SECP256R1()), b"secret")
    assert Algorithm.ES256 == SigningKey.load_pem(pem, COURT, b"secret").alg
    assert "private_key_unreadable" == refusal(pem)
    assert "private_key_unreadable" == refusal(pem, b"wrong")


def test_the_older_ec_form_is_read() -> None:
    pem = pem_of(ec.generate_private_key(ec.SECP256R1()), format=serialization.PrivateFormat.TraditionalOpenSSL)
    assert Algorithm.ES256 == SigningKey.load_pem(pem, COURT).alg


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate(),
    ],
)
def test_a_key_of_another_curve_is_refused(key: Any) -> None:
    assert "private_key_kind" == refusal(pem_of(key))


def test_an_rsa_key_is_refused() -> None:
    assert "private_key_kind" == refusal(pem_of(rsa.generate_private_key(65537, 2048)))


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"\xff",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ],
)
def test_what_is_no_private_key_is_refused(pem: bytes) -> None:
    assert "private_key_unreadable" == refusal(pem)


def test_an_sm2_key_whose_halves_differ_is_refused() -> None:
    one, other = (SigningKey.generate(Algorithm.SM2, COURT).private.to_der() for _ in range(2))
    assert "sm2_key_halves_differ" == refusal(wrapped(one[:-64] + other[-64:]))


def test_an_sm2_key_that_is_no_number_of_the_curve_is_refused() -> None:
    der = SigningKey.generate(Algorithm.SM2, COURT).private.to_der()
    assert "sm2_key_invalid" == refusal(wrapped(der[:36] + bytes([255]) * 32 + der[68:]))
    assert "sm2_key_not_pkcs8" == refusal(wrapped(der[:68] + bytes(6) + der[74:]))


def test_a_private_key_is_never_printed() -> None:
    for alg in EVERY_ALGORITHM:
        key = SigningKey.generate(alg, COURT)
        assert f"SigningKey(kid='{key.kid}', alg={alg!r}, party_id='{COURT}')" == repr(key)
        assert "d" not in key.public_jwk()


def test_sm2_without_its_extra_says_what_to_install() -> None:
    found = subprocess.run([sys.executable, "-c", WITHOUT_GMSSL], capture_output=True, text=True, check=True)
    assert "SM2 needs gmssl-pyx: pip install xianjie[sm]" == found.stdout.strip()


# --- registered keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alg", "kind"), [(Algorithm.ED25519, OKPKey), (Algorithm.ES256, ECKey)])
def test_a_kid_is_the_thumbprint_an_ordinary_library_computes(alg: Algorithm, kind: Any) -> None:
    key = key_of(COURT, alg)
    assert kind.import_key(key.public_jwk()).thumbprint() == key.kid


def test_a_kid_that_is_not_the_thumbprint_is_refused() -> None:
    with pytest.raises(ConfigError):
        registered(key_of(), kid=key_of(AGENCY).kid)


def test_the_public_half_is_registered_from_the_private_key() -> None:
    key = key_of()
    public = key.public_key(not_before=NOW)
    assert (key.kid, COURT, key.alg, "sig", None) == (
        public.kid,
        public.party_id,
        public.alg,
        public.use,
        public.not_after,
    )


def test_a_key_s_moments_need_a_zone() -> None:
    with pytest.raises(ValueError):
        registered(key_of(), not_after=datetime(2030, 1, 1))


def test_a_key_counts_from_its_first_moment_until_before_its_last() -> None:
    key = registered(key_of(), not_before=NOW, not_after=NOW + timedelta(days=1))
    moments = [NOW - timedelta(microseconds=1), NOW, NOW + timedelta(hours=23), NOW + timedelta(days=1)]
    assert [False, True, True, False] == [key.usable_at(moment) for moment in moments]


def test_revocation_outranks_expiry_in_the_log() -> None:
    key = registered(key_of(), not_after=NOW, revoked_at=NOW)
    assert "key_revoked" == key.refusal_at(NOW)


# --- the ring ----------------------------------------------------------------------------------------------------


def test_a_ring_finds_keys_and_parties_and_nothing_else() -> None:
    old, new, other = key_of(), SigningKey.generate(Algorithm.ES256, COURT), key_of(AGENCY)
    ring = Keyring([registered(old), registered(new), registered(other)], {COURT: "court"})
    assert registered(new) == ring.find(new.kid)
    assert None is ring.find("unknown")
    assert [old.kid, new.kid] == [key.kid for key in ring.keys_of(COURT)]
    assert () == ring.keys_of(GATEWAY)
    assert ["court", None] == [ring.kind_of(party) for party in (COURT, AGENCY)]


def test_a_ring_does_not_change_with_what_it_was_made_from() -> None:
    active = {COURT: "court"}
    ring = Keyring([registered(key_of())], active)
    active.clear()
    assert "court" == ring.kind_of(COURT)


def test_an_unknown_kid_signs_nothing() -> None:
    assert not a_keyring().signature_is_of("unknown", bytes(64), b"x")


def test_a_key_for_encryption_signs_nothing() -> None:
    ring = a_keyring([registered(key_of(), use="enc")])
    assert not ring.signature_is_of(key_of().kid, key_of().sign(b"x"), b"x")


@pytest.mark.parametrize("alg", EVERY_ALGORITHM)
@pytest.mark.parametrize(
    ("spoil", "note"),
    [
        (lambda jwk: {**jwk, "d": jwk["x"]}, "jwk_is_private"),
        (lambda jwk: {**jwk, "kty": "oct"}, "jwk_not_of_algorithm"),
        (lambda jwk: {**jwk, "crv": "P-384"}, "jwk_not_of_algorithm"),
        (lambda jwk: {**jwk, "alg": "none"}, "jwk_not_of_algorithm"),
        (lambda jwk: {name: jwk[name] for name in jwk if name != "x"}, "jwk_not_of_algorithm"),
        (lambda jwk: {**jwk, "x": jwk["x"] + "="}, "jwk_number"),
        (lambda jwk: {**jwk, "x": jwk["x"][:-4]}, "jwk_number"),
        (lambda jwk: {**jwk, "x": "钥"}, "jwk_number"),
        (lambda jwk: {**jwk, "x": 7}, "jwk_number"),
    ],
)
def test_a_jwk_that_is_not_a_public_key_of_its_algorithm_is_refused(alg: Algorithm, spoil: Any, note: str) -> None:
    jwk = spoil(key_of(COURT, alg).public_jwk())
    with pytest.raises(ConfigError) as caught:
        a_keyring([registered(key_of(COURT, alg), jwk=jwk, kid=algorithms.thumbprint(jwk))])
    assert (note, COURT) == (caught.value.note, caught.value.ids["party_id"])


@pytest.mark.parametrize(("alg", "note"), [(Algorithm.ES256, "jwk_point"), (Algorithm.SM2, "sm2_point_not_on_curve")])
def test_a_point_off_the_curve_is_refused(alg: Algorithm, note: str) -> None:
    jwk = key_of(COURT, alg).public_jwk()
    wrong = {**jwk, "y": jwk["x"]}
    with pytest.raises(ConfigError) as caught:
        a_keyring([registered(key_of(COURT, alg), jwk=wrong, kid=algorithms.thumbprint(wrong))])
    assert note == caught.value.note


def test_the_algorithm_is_the_registered_one_not_the_curve_s_guess() -> None:
    with pytest.raises(ConfigError):
        a_keyring([registered(key_of(COURT, Algorithm.SM2), alg=Algorithm.ES256)])


def test_public_keys_are_values() -> None:
    assert registered(key_of()) == PublicKey(
        kid=key_of().kid,
        party_id=COURT,
        alg=Algorithm.ED25519,
        jwk=key_of().public_jwk(),
        not_before=NOW - timedelta(days=30),
        not_after=NOW + timedelta(days=335),
    )
