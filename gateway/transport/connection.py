"""连接 Connections to settled addresses whose answers end at a deadline.

A read time-out alone bounds the wait for each packet, so a partner that sends a byte now and then could hold a worker
for ever; here every read of an answer, its head included, gets only what is left of the whole. The address in the
request's URL is what is connected to; the name in its Host header is what the certificate must prove.
"""

import io
import socket
from http.client import HTTPResponse
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

KEPT_PARTNERS = 64


class _UntilDeadline(io.RawIOBase):
    """What the socket gives, as long as there is time."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    """Its time is what the socket was given to wait when the answer began: what is left of the whole push."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        deadline = monotonic() + (sock.gettimeout() or 0.0)
        self.fp: io.BufferedReader = io.BufferedReader(_UntilDeadline(self.fp.detach(), sock, deadline))


class _Plain(HTTPConnection):
    response_class = _BoundedResponse


class _Secure(HTTPSConnection):
    response_class = _BoundedResponse


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class PinnedAdapter(HTTPAdapter):
    """Connects to the address in the URL and asks it to prove the name in the Host header. For one thread."""

    def __init__(self) -> None:
        super().__init__(pool_connections=KEPT_PARTNERS, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Connections are kept apart by name as well: two names on one address prove themselves separately."""
        host: Any
        pool: Any
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            pool["server_hostname"] = urlsplit(f"//{request.headers['Host']}").hostname
        return host, pool
