"""通信 One request to the gateway and its answer, bounded in size and time; never a retry, a redirect or a proxy.

Nothing is taken from the environment and no cookie is kept. An answer that is missing, torn, too large or too late is
`NoAnswer`, which tells whether a byte may have arrived. What an answer means is decided in `client`.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from time import monotonic
from urllib.parse import urlencode

import requests
from requests.exceptions import ConnectTimeout, RequestException, Timeout
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError

from gateway.envelope.token import target
from gateway.errors import ConfigError
from gateway.transport.answer import NoAnswer, NoAnswerReason, RetryAfter
from gateway.transport.retry import read_retry_after

MAX_ANSWER = 1024 * 1024
MAX_PAGE = 64 * 1024 * 1024
JOSE, NDJSON, PROBLEM = "application/jose", "application/x-ndjson", "application/problem+json"

_CHUNK = 64 * 1024


class _Session(requests.Session):
    """Ours, unless the caller brings one."""

    def __init__(self, verify: str | Path | None) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = True if verify is None else str(verify)
        self.headers.clear()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the base class's name
        """None: the base class would read a redirect's whole body to prepare the request that is never made."""
        return


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The head of an answer; its body is read once, by `body()` or by `lines()`. Both raise `NoAnswer`."""

    status: int
    content_type: str
    replayed: bool
    retry_after: RetryAfter | None
    response: requests.Response
    deadline: float

    def body(self) -> bytes:
        """All of it, up to 1 MiB."""
        found = bytearray()
        for piece in self._pieces():
            found += piece
            if len(found) > MAX_ANSWER:
                raise NoAnswer(NoAnswerReason.ANSWER_TOO_LARGE, may_have_arrived=True)
        return bytes(found)

    def lines(self) -> Iterator[bytes]:
        """Its lines that are not blank, each up to 1 MiB and all up to 64 MiB; a torn last line is none."""
        kept, total = b"", 0
        for piece in self._pieces():
            *whole, kept = (kept + piece).split(b"\n")
            total += len(piece)
            if total > MAX_PAGE or any(len(line) > MAX_ANSWER for line in (*whole, kept)):
                raise NoAnswer(NoAnswerReason.ANSWER_TOO_LARGE, may_have_arrived=True)
            yield from (line.strip() for line in whole if line.strip())
        if kept.strip():
            yield kept.strip()

    def _pieces(self) -> Iterator[bytes]:
        """Whatever came, as it comes: a partner that sends a byte now and then meets the deadline all the same."""
        try:
            while piece := self.response.raw.read1(_CHUNK, decode_content=False):
                yield piece
                if monotonic() >= self.deadline:
                    raise NoAnswer(NoAnswerReason.ANSWER_TIMEOUT, may_have_arrived=True)
        except (HTTPError, OSError) as error:
            late = isinstance(error, ReadTimeoutError)
            reason = NoAnswerReason.ANSWER_TIMEOUT if late else NoAnswerReason.ANSWER_BROKEN
            raise NoAnswer(reason, may_have_arrived=True) from error


class Wire:
    """The gateway's address. verify: a PEM file of the authorities its certificate comes from, else the public ones;
    timeout: seconds for a whole answer. Raises `ConfigError` for a URL that is none."""

    def __init__(
        self, url: str, *, session: requests.Session | None, timeout: float, verify: str | Path | None
    ) -> None:
        try:
            target(url)
        except ValueError as error:
            raise ConfigError("the gateway's address must be an http(s) URL without a user") from error
        self._base = url.rstrip("/")
        self._session = _Session(verify) if session is None else session
        self._timeout = timeout

    def address(self, path: str) -> str:
        """The absolute URL of a path."""
        return self._base + path

    @contextmanager
    def post(self, path: str, body: bytes, content_type: str) -> Iterator[Answer]:
        """Sends bytes. Raises `NoAnswer`."""
        with self._exchange("POST", path, {"Content-Type": content_type}, body=body) as answer:
            yield answer

    @contextmanager
    def get(
        self, path: str, token: str, *, query: Mapping[str, str | int] | None = None, wait: int = 0
    ) -> Iterator[Answer]:
        """Reads with a one-use token. wait: seconds the gateway may take before it begins. Raises `NoAnswer`."""
        whole = f"{path}?{urlencode(query)}" if query else path
        with self._exchange("GET", whole, {"Authorization": f"Bearer {token}"}, wait=wait) as answer:
            yield answer

    @contextmanager
    def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], *, body: bytes | None = None, wait: int = 0
    ) -> Iterator[Answer]:
        timeout = self._timeout + wait
        ours = {"Accept-Language": "zh", "Accept-Encoding": "identity", "User-Agent": "xianjie-client"}
        deadline = monotonic() + timeout
        try:
            response = self._session.request(
                method,
                self._base + path,
                data=body,
                headers={**ours, **headers},
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            )
        except (RequestException, HTTPError, OSError) as error:
            raise _no_answer(error) from error
        with response:
            yield Answer(
                status=response.status_code,
                content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                replayed=response.headers.get("Idempotent-Replayed") == "true",
                retry_after=read_retry_after(response.headers.get("Retry-After")),
                response=response,
                deadline=deadline,
            )


def _no_answer(error: Exception) -> NoAnswer:
    causes = list(_causes(error))
    if isinstance(error, ConnectTimeout):
        return NoAnswer(NoAnswerReason.CONNECT_TIMEOUT, may_have_arrived=False)
    if any(isinstance(cause, NewConnectionError) for cause in causes):
        return NoAnswer(NoAnswerReason.NO_CONNECTION, may_have_arrived=False)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return NoAnswer(NoAnswerReason.TLS_FAILED, may_have_arrived=False)
    reason = NoAnswerReason.ANSWER_TIMEOUT if isinstance(error, Timeout) else NoAnswerReason.CONNECTION_LOST
    return NoAnswer(reason, may_have_arrived=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all it was made from: libraries hand causes on in `reason`, in arguments or by `from`."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        handed_on = (*one.args, getattr(one, "reason", None), one.__cause__, one.__context__)
        waiting += [cause for cause in handed_on if isinstance(cause, BaseException)]
