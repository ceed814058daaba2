"""线路 HTTP to the gateway: one session a thread, no proxy, no redirect, no cookie, bounded in size and time.

What could not be had raises `PartnerUnreachable`: nothing is known of the outcome, and the same bytes may go again. A
refusal of the whole request (a wrong address, a key nobody knows) is raised as the gateway's own error.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from itertools import islice
from time import monotonic
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from gateway.errors import ConfigError, InRecovery, MessageError, PartnerUnreachable, XianjieError, every_error

MAX_OBJECT = 1024 * 1024
MAX_PAGE = 32 * 1024 * 1024
"""One answer, and a page of the mailbox, at their largest."""
_CHUNK = 64 * 1024


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the base class's name
        """None: its body is not read for a request that is never made."""
        return


class Wire:
    """The gateway's address; safe to share between threads. timeout: seconds for one whole answer."""

    def __init__(self, url: str, *, verify_tls: bool | str, timeout: float) -> None:
        self.url, self._verify_tls, self._timeout = url.rstrip("/"), verify_tls, timeout
        self._mine = threading.local()

    def post_lines(self, path: str, body: bytes, content_type: str, *, bearer: str | None = None) -> Iterator[bytes]:
        """The answer's lines as they come; ends early when the connection does or time is up."""
        proof = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        with self._asked("POST", path, data=body, headers={"Content-Type": content_type, **proof}) as response:
            yield from _lines(_chunks(response, monotonic() + self._timeout))

    def put(
        self, path: str, body: Any, content_type: str, *, bearer: str, query: Mapping[str, Any] | None = None
    ) -> bytes:
        """The whole answer to what was put in its place; body: bytes or an iterator. Raises PartnerUnreachable,
        and the gateway's own error for a refusal."""
        headers = {"Content-Type": content_type, "Authorization": f"Bearer {bearer}"}
        with self._asked("PUT", path, data=body, headers=headers, params=dict(query or {})) as response:
            return b"".join(_chunks(response, monotonic() + self._timeout))[:MAX_OBJECT]

    def get(
        self, path: str, query: Mapping[str, Any], *, bearer: str, extra: float = 0, limit: int = MAX_OBJECT
    ) -> bytes:
        """The whole answer to a read. extra: seconds it may wait by request; limit: bytes."""
        headers = {"Authorization": f"Bearer {bearer}"}
        with self._asked("GET", path, params=dict(query), headers=headers, extra=extra) as response:
            kept = b""
            try:
                for chunk in _chunks(response, monotonic() + self._timeout + extra):
                    kept += chunk
                    if len(kept) > limit:
                        raise PartnerUnreachable("answer_too_large")
            except _CutError as error:
                raise PartnerUnreachable("answer_cut") from error
            return kept

    def _asked(self, method: str, path: str, *, extra: float = 0, **request: Any) -> requests.Response:
        try:
            response = self._session().request(
                method,
                self.url + path,
                timeout=self._timeout + extra,
                allow_redirects=False,
                verify=self._verify_tls,
                stream=True,
                **request,
            )
        except requests.RequestException as error:
            raise PartnerUnreachable(type(error).__name__) from error
        if response.status_code == requests.codes.ok:
            return response
        with response:
            raise _unusable(response)

    def _session(self) -> _Session:
        session: _Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = _Session()
        return session


def read_problem(text: bytes) -> dict[str, Any] | None:
    """A problem document, or None for anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("code"), str) else None


def error_of(problem: Mapping[str, Any], **more: Any) -> XianjieError:
    """The gateway's own error; MessageError with the code as its note for one this version does not know."""
    make: Callable[..., XianjieError] | None = _CLASSES.get(str(problem.get("code")))
    return MessageError(str(problem.get("code")), **more) if make is None else make(**more)


_CLASSES = {error.code: error for error in every_error()}


def _unusable(response: requests.Response) -> XianjieError:
    """What a whole request was answered with: try later, mend the configuration, or the gateway's own no."""
    status = response.status_code
    if 300 <= status < 400:
        return ConfigError(f"the gateway's address redirects (http_{status}); give its real one")
    try:
        body = b"".join(islice(_chunks(response, monotonic() + 5), MAX_OBJECT // _CHUNK))
    except _CutError:
        body = b""
    problem = read_problem(body)
    if status >= 500 or status == requests.codes.too_many_requests:
        patience = _seconds(response.headers.get("Retry-After"))
        if problem is not None and problem["code"] == InRecovery.code:
            return InRecovery(retry_after=patience)
        return PartnerUnreachable(f"http_{status}", retry_after=patience)
    if problem is None or problem["code"] in ("not_found", "method_not_allowed"):
        return ConfigError(f"there is no gateway at this address (http_{status})")
    return error_of(problem)


def _seconds(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 7 else None


class _CutError(Exception):
    """The connection ended, or time was up, before the answer did."""


def _chunks(response: requests.Response, deadline: float) -> Iterator[bytes]:
    """Pieces as they arrive."""
    try:
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            yield chunk
            if monotonic() > deadline:
                raise _CutError
    except (HTTPError, OSError) as error:
        raise _CutError from error


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines: what has no end was cut, and says nothing."""
    kept = b""
    try:
        for chunk in chunks:
            *whole, kept = (kept + chunk).split(b"\n")
            yield from (line for line in whole if line.strip())
            if len(kept) > MAX_OBJECT:
                return
    except _CutError:
        return
