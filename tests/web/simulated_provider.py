"""An identity provider on loopback: discovery, keys, a token endpoint that takes PKCE, and ways to be wrong.

Whoever is led to `authorize` is signed in there as `subject` at once; `answer` is what a browser would be led back
with. `claims`, `signed_by` and the like change one thing of the honest answer.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import Key, OctKey, OKPKey, RSAKey

CLIENT, SECRET = "xianjie", "a secret of the client"
HMACED = OctKey.import_key("a shared secret of more than 32 bytes, for HS256", {"kid": "k-9"})


@dataclass
class SimulatedProvider:
    """What it is asked is kept in `asked`."""

    now: Callable[[], int]
    url: str = ""
    subject: str = "u-1"
    key: Key = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k-1", "use": "sig"}))
    alg: str = "RS256"
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    """Of the token: what differs from the honest ones; None takes a claim out."""
    discovery: dict[str, Any] = field(default_factory=dict)
    published: list[Key] | None = None
    spoil: Callable[[str], str] = lambda text: text
    asked: list[str] = field(default_factory=list)
    down: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def answer(self, location: str) -> str:
        """What the browser is led back with from that address; the code is good once."""
        asked = {key: values[0] for key, values in parse_qs(urlsplit(location).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"{urlsplit(asked['redirect_uri']).path}?{urlencode({'code': code, 'state': asked['state']})}"

    def documents(self, path: str) -> dict[str, Any] | None:
        """GET."""
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                **self.discovery,
            }
        if path == "/keys":
            keys = [self.key] if self.published is None else self.published
            return {"keys": [one.as_dict(private=isinstance(one, OctKey)) for one in keys]}
        return None

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """POST to the token endpoint; None: refused."""
        asked = self.codes.pop(form.get("code", ""), None)
        wanted = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked is None or authorization.replace("%20", " ") != wanted:
            return None
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if challenge.rstrip(b"=").decode() != asked["code_challenge"] or asked["code_challenge_method"] != "S256":
            return None
        if form["redirect_uri"] != asked["redirect_uri"]:
            return None
        return {"access_token": "x", "token_type": "Bearer", "id_token": self.spoil(self.id_token(asked))}

    def id_token(self, asked: dict[str, str]) -> str:
        """Who it is."""
        honest: dict[str, Any] = {
            "iss": self.url,
            "sub": self.subject,
            "aud": asked["client_id"],
            "nonce": asked["nonce"],
            "iat": self.now(),
            "exp": self.now() + 300,
            **({"auth_time": self.now()} if "max_age" in asked else {}),
        }
        claims = {key: value for key, value in (honest | self.claims).items() if value is not None}
        header = {"alg": self.alg, "kid": self.key.kid, **self.header}
        return jwt.encode(header, claims, self.key, algorithms=[self.alg])


@contextmanager
def serving(provider: SimulatedProvider) -> Iterator[SimulatedProvider]:
    """Answers on a free port meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(None if provider.down else provider.documents(urlsplit(self.path).path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {key: values[0] for key, values in parse_qs(body).items()}
            found = provider.token(form, self.headers.get("Authorization", ""))
            self.reply(found or {"error": "invalid_grant"}, 200 if found else 400)

        def reply(self, document: dict[str, Any] | None, status: int = 200) -> None:
            provider.asked.append(self.path)
            body = json.dumps(document or {}).encode()
            self.send_response(status if document is not None else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def another_key() -> Key:
    """Of the same sort, and not the provider's."""
    return RSAKey.generate_key(2048, {"kid": "k-1", "use": "sig"})


def an_edwards_key() -> Key:
    """Ed25519."""
    return OKPKey.generate_key("Ed25519", {"kid": "k-2", "use": "sig"})
