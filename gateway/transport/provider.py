"""统一身份认证 An identity provider: people prove there who they are, and it tells us by OpenID Connect.

Rules: the authorization code flow with PKCE and nothing else; what tells who somebody is must be signed with one of the
provider's own asymmetric keys (RS, PS, ES, EdDSA: never `none`, never a shared secret), name this provider, us, this
very sign-in (nonce) and not be over. Issuer and endpoints are `https` except on this machine; no redirect is followed,
nothing is taken from the environment, answers are cut and bounded in time, and few are asked for at once, so that a
slow provider takes no threads from the API. The flow and the claims are Authlib's, signatures joserfc's.
"""

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import requests
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from gateway.errors import Busy, ConfigError, MissingExtra, PartnerUnreachable, SignInRefused

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_ASYMMETRIC = ("RSA", "EC", "OKP")
SECONDS = (3.05, 5)
MOST_BYTES = 256 * 1024
AT_ONCE = 3
FRESH_FOR = 3600.0
AGAIN_AFTER = 60.0
LEEWAY = 60
PROVEN_FOR = timedelta(minutes=5)
"""How old a proof may be that was asked for anew."""
_DISCOVERY = "/.well-known/openid-configuration"
_BASIC, _POST = "client_secret_basic", "client_secret_post"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderSettings:
    """What the configuration says of it. name: as the button calls it."""

    issuer: str
    client_id: str
    name: str = ""
    secret: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not _is_safe(self.issuer) or urlsplit(self.issuer).query or urlsplit(self.issuer).fragment:
            raise ConfigError("[oidc] `issuer` must be the provider's https address, with nothing behind a `?` or `#`")
        if not self.client_id:
            raise ConfigError("[oidc] needs `client_id`: the name this gateway is registered under at the provider")


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """身份证明. subject: `issuer|sub`; proven_at: when he last proved himself to the provider, if it says so."""

    subject: str
    proven_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """A document of the provider and since when we have it."""

    document: Mapping[str, Any]
    at: float


class Provider:
    """One provider, asked from any number of threads."""

    def __init__(self, settings: ProviderSettings, *, ca_bundle: str | None = None) -> None:
        """Raises MissingExtra."""
        self._settings, self._verify = settings, ca_bundle or True
        self._lock = threading.Lock()
        self._seats = threading.BoundedSemaphore(AT_ONCE)
        self._known: dict[str, _Asked] = {}
        _authlib()

    @property
    def name(self) -> str:
        """As the button calls it."""
        return self._settings.name

    @property
    def issuer(self) -> str:
        """Whose word it is."""
        return self._settings.issuer

    def begin(self, *, back: str, state: str, nonce: str, verifier: str, again: bool) -> str:
        """The provider's address where somebody proves himself. again: anew, whoever is signed in there. Raises
        PartnerUnreachable, Busy."""
        more = {"prompt": "login", "max_age": "0"} if again else {}
        with self._seat():
            endpoint = self._endpoint("authorization_endpoint")
        with self._session(back) as session:
            url: str = session.create_authorization_url(
                endpoint, state=state, nonce=nonce, code_verifier=verifier, **more
            )[0]
        return url

    def prove(self, *, code: str, back: str, nonce: str, verifier: str, again: bool, now: datetime) -> Proof:
        """Who a code stands for. Raises SignInRefused, PartnerUnreachable, Busy."""
        with self._seat(), self._session(back) as session:
            token = self._exchange(session, code, verifier)
            text = token.get("id_token")
            if not isinstance(text, str):
                raise _refused("no_id_token")
            found = self._verified(text)
            return self._proof(found, token, nonce=nonce, again=again, now=now)

    def _exchange(self, session: Any, code: str, verifier: str) -> Mapping[str, Any]:
        refused = _authlib().AuthlibBaseError
        methods = self._document(_DISCOVERY).get("token_endpoint_auth_methods_supported") or [_BASIC]
        if self._settings.secret:
            session.token_endpoint_auth_method = _BASIC if _BASIC in methods else _POST
        try:
            found: Mapping[str, Any] = session.fetch_token(
                self._endpoint("token_endpoint"),
                code=code,
                code_verifier=verifier,
                grant_type="authorization_code",
                timeout=SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise PartnerUnreachable(type(error).__name__) from error
        except (refused, ValueError) as error:
            raise _refused("code_refused") from error
        return found

    def _verified(self, text: str) -> jwt.Token:
        try:
            return jwt.decode(text, self._keys(), algorithms=ALGORITHMS)
        except InvalidKeyIdError:  # it may have new keys since
            return self._verified_with(text, self._keys(again=True))
        except (JoseError, ValueError, KeyError) as error:
            raise _refused(type(error).__name__) from error

    def _verified_with(self, text: str, keys: KeySet) -> jwt.Token:
        try:
            return jwt.decode(text, keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError, KeyError) as error:
            raise _refused(type(error).__name__) from error

    def _proof(self, found: jwt.Token, token: Mapping[str, Any], *, nonce: str, again: bool, now: datetime) -> Proof:
        own = self._settings
        claims = _authlib().CodeIDToken(
            found.claims,
            found.header,
            options={
                "iss": {"essential": True, "value": own.issuer},
                "aud": {"essential": True, "value": own.client_id},
                "sub": {"essential": True},
                "nonce": {"essential": True, "value": nonce},
            },
            params={
                "nonce": nonce,
                "client_id": own.client_id,
                "access_token": token.get("access_token"),
                "max_age": again,
            },
        )
        try:
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY)
        except (JoseError, ValueError, TypeError) as error:
            raise _refused(f"{type(error).__name__}") from error
        sub, at = claims["sub"], claims.get("auth_time")
        if not isinstance(sub, str) or not sub or not isinstance(at, int | float | None):
            raise _refused("claims")
        proven_at = None if at is None else datetime.fromtimestamp(at, UTC)
        if again and (proven_at is None or now - proven_at > PROVEN_FOR):
            raise _refused("not_proven_anew")
        return Proof(subject=f"{own.issuer}|{sub}", proven_at=proven_at)

    def _keys(self, *, again: bool = False) -> KeySet:
        document = self._document(self._endpoint("jwks_uri"), again=again)
        listed = document.get("keys")
        keys = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        wanted = [one for one in keys if one.get("kty") in _ASYMMETRIC and one.get("use", "sig") == "sig"]
        try:
            return KeySet.import_key_set({"keys": wanted})
        except (JoseError, ValueError, KeyError) as error:
            raise _refused("keys") from error

    def _endpoint(self, name: str) -> str:
        document = self._document(_DISCOVERY)
        found = document.get(name)
        if document.get("issuer") != self._settings.issuer or not isinstance(found, str) or not _is_safe(found):
            raise PartnerUnreachable(f"discovery_{name}")
        return found

    def _document(self, place: str, *, again: bool = False) -> Mapping[str, Any]:
        """A document of the provider's, as new as it need be. again: anew, unless that was a moment ago."""
        with self._lock:
            known = self._known.get(place)
        if known is not None and monotonic() - known.at < (AGAIN_AFTER if again else FRESH_FOR):
            return known.document
        url = self._settings.issuer.rstrip("/") + place if place.startswith("/") else place
        found = _Asked(document=self._get(url), at=monotonic())
        with self._lock:
            self._known[place] = found
        return found.document

    def _get(self, url: str) -> Mapping[str, Any]:
        session = requests.Session()
        session.trust_env = False
        try:
            with session.get(
                url,
                timeout=SECONDS,
                allow_redirects=False,
                stream=True,
                verify=self._verify,
                headers={"Accept": "application/json"},
            ) as answer:
                body = answer.raw.read(MOST_BYTES + 1, decode_content=True)
                if answer.status_code != requests.codes.ok or len(body) > MOST_BYTES:
                    raise PartnerUnreachable(f"http_{answer.status_code}")
            found = json.loads(body)
        except (requests.RequestException, OSError, ValueError) as error:
            raise PartnerUnreachable(type(error).__name__) from error
        if not isinstance(found, dict):
            raise PartnerUnreachable("no_object")
        return found

    @contextmanager
    def _seat(self) -> Iterator[None]:
        if not self._seats.acquire(blocking=False):
            raise Busy("identity_provider", retry_after=int(SECONDS[1]))
        try:
            yield
        finally:
            self._seats.release()

    @contextmanager
    def _session(self, back: str) -> Iterator[Any]:
        own = self._settings
        made = _authlib().OAuth2Session(
            own.client_id,
            own.secret,
            scope="openid",
            redirect_uri=back,
            code_challenge_method="S256",
        )
        made.trust_env, made.verify = False, self._verify
        try:
            yield made
        finally:
            made.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Authlib:
    """What we use of it."""

    OAuth2Session: Any
    CodeIDToken: Any
    AuthlibBaseError: type[Exception]


def _authlib() -> _Authlib:
    try:
        from authlib.common.errors import AuthlibBaseError
        from authlib.integrations.requests_client import OAuth2Session
        from authlib.oidc.core import CodeIDToken
    except ImportError as error:
        raise MissingExtra("oidc: pip install 'xianjie[oidc]'", ids={"extra": "oidc"}) from error
    return _Authlib(OAuth2Session=OAuth2Session, CodeIDToken=CodeIDToken, AuthlibBaseError=AuthlibBaseError)


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def _refused(reason: str) -> SignInRefused:
    """One answer to the outside; the reason in the log alone."""
    logger.warning("identity provider not believed", extra={"reason": reason})
    return SignInRefused()
