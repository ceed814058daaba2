"""推送 Pushing signed bytes to an office's URL, and telling "certainly not sent" from "unknown" when nothing answers.

Connected is the settled address and nothing else: no proxy, no redirect, no cookie, no setting from the environment.
The answer is cut at 1 MiB, taken as it is (no decompression) and bounded in time as a whole. Nothing is retried here:
the same bytes go again by `transport.retry`, one attempt row each.
"""

import threading
from collections.abc import Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from time import monotonic

import requests
from requests.exceptions import ConnectTimeout, RequestException, SSLError, Timeout
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import Timeout as Limits

from gateway.transport.address import Endpoint
from gateway.transport.answer import Answer, NoAnswer, NoAnswerReason
from gateway.transport.connection import PinnedAdapter
from gateway.transport.retry import read_retry_after

MAX_ANSWER = 1024 * 1024
CONNECT_SECONDS = 5.0
USER_AGENT = "xianjie"

_CHUNK = 16 * 1024
_ASKS_FOR_PATIENCE = (429, 503)


class _Session(requests.Session):
    """One thread's connections."""

    def __init__(self, ca_bundle: str | None) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = True if ca_bundle is None else ca_bundle
        self.headers.clear()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, PinnedAdapter())

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the base class's name
        """None: the base class would read a redirect's whole body to prepare the request that is never made."""
        return


class _Body:
    """The bytes on their way; remembers whether any were handed over."""

    def __init__(self, body: bytes, deadline: float) -> None:
        self._body = body
        self._deadline = deadline
        self.begun = False

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._body), _CHUNK):
            if monotonic() >= self._deadline:
                raise TimeoutError("the message took too long to send")
            self.begun = True
            yield self._body[start : start + _CHUNK]


class Pusher:
    """Pushes from any number of threads; each has connections of its own, kept open between pushes.

    ca_bundle: a PEM file of the authorities partners' certificates come from, instead of the public ones.
    """

    def __init__(self, *, ca_bundle: str | None = None, connect_seconds: float = CONNECT_SECONDS) -> None:
        self._ca_bundle = ca_bundle
        self._connect_seconds = connect_seconds
        self._mine = threading.local()

    def push(
        self, endpoint: Endpoint, body: bytes, *, content_type: str, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        """One POST. timeout: seconds from the first packet to the answer's last. Raises `NoAnswer`."""
        if not body or timeout <= 0:
            raise ValueError("a push needs a body and a time-out")
        deadline = monotonic() + timeout
        sent = _Body(body, deadline)
        request = requests.Request(
            "POST", _address_url(endpoint), data=sent, headers=_headers(endpoint, content_type, headers)
        ).prepare()
        return self._send(request, sent, deadline, timeout)

    def fetch(self, endpoint: Endpoint, *, headers: Mapping[str, str], timeout: float) -> Answer:
        """One GET, bounded like a push. Raises `NoAnswer`."""
        deadline = monotonic() + timeout
        ours = {name: value for name, value in _headers(endpoint, "", headers).items() if name != "Content-Type"}
        request = requests.Request("GET", _address_url(endpoint), headers=ours).prepare()
        return self._send(request, _Body(b"", deadline), deadline, timeout)

    def _send(self, request: requests.PreparedRequest, sent: _Body, deadline: float, timeout: float) -> Answer:
        limits = Limits(connect=min(self._connect_seconds, timeout), read=timeout, total=timeout)
        try:
            response = self._session().send(request, stream=True, allow_redirects=False, timeout=limits)  # type: ignore[arg-type]
        except (RequestException, HTTPError, OSError) as error:
            late = sent.begun and monotonic() >= deadline
            raise NoAnswer(_reason(error, begun=sent.begun, late=late), may_have_arrived=sent.begun) from error
        with response:
            return _read(response, late_at=deadline)

    def close(self) -> None:
        """Closes the calling thread's connections; a later push opens new ones."""
        session: _Session | None = getattr(self._mine, "session", None)
        if session is not None:
            session.close()
            del self._mine.session

    def _session(self) -> _Session:
        session: _Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = _Session(self._ca_bundle)
        return session


def _address_url(endpoint: Endpoint) -> str:
    shown = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return f"{endpoint.scheme}://{shown}:{endpoint.port}{endpoint.path}"


def _headers(endpoint: Endpoint, content_type: str, extra: Mapping[str, str]) -> dict[str, str]:
    """Ours last: no caller's header may stand in their place, in whatever case it is written."""
    ours = {
        "Host": endpoint.host_header,
        "Content-Type": content_type,
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
    }
    taken = {name.lower() for name in ours} | {"content-length", "transfer-encoding", "connection"}
    return {name: value for name, value in extra.items() if name.lower() not in taken} | ours


def _reason(error: Exception, *, begun: bool, late: bool) -> NoAnswerReason:
    if late or (begun and isinstance(error, Timeout)):
        return NoAnswerReason.ANSWER_TIMEOUT
    if begun:
        return NoAnswerReason.CONNECTION_LOST
    if isinstance(error, SSLError):
        return NoAnswerReason.TLS_FAILED
    if isinstance(error, ConnectTimeout | Timeout):
        return NoAnswerReason.CONNECT_TIMEOUT
    return NoAnswerReason.NO_CONNECTION


def _body(response: requests.Response) -> bytes:
    """Up to one byte over the limit. Only a read that comes back empty tells a whole answer from a torn one."""
    found = bytearray()
    while len(found) <= MAX_ANSWER:
        piece: bytes = response.raw.read(MAX_ANSWER + 1 - len(found), decode_content=False)
        if not piece:
            break
        found += piece
    return bytes(found)


def _read(response: requests.Response, *, late_at: float) -> Answer:
    try:
        body = _body(response)
    except (HTTPError, OSError) as error:
        late = isinstance(error, ReadTimeoutError) or monotonic() >= late_at
        reason = NoAnswerReason.ANSWER_TIMEOUT if late else NoAnswerReason.ANSWER_BROKEN
        raise NoAnswer(reason, may_have_arrived=True) from error
    if len(body) > MAX_ANSWER:
        raise NoAnswer(NoAnswerReason.ANSWER_TOO_LARGE, may_have_arrived=True)
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise NoAnswer(NoAnswerReason.ANSWER_BROKEN, may_have_arrived=True)
    patience = response.headers.get("Retry-After") if response.status_code in _ASKS_FOR_PATIENCE else None
    return Answer(
        status=response.status_code,
        body=body,
        content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
        retry_after=read_retry_after(patience),
    )
