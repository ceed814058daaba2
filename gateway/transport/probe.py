"""连接测试 Whether a settled address answers: connected to and, for https, proven to be its name's. Nothing is sent.

Rules: the whole takes no longer than the time given, the look-up of the name included; what is connected to was judged
by `address.resolve` as for a push; not one byte of a request goes out, so nothing can come of a test at the other end.
"""

import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from gateway.transport.address import Endpoint, Lookup, system_lookup
from gateway.transport.answer import NoAnswer, NoAnswerReason


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """What answered. tls: the protocol's version, None for plain http; expires_at: of the certificate."""

    milliseconds: int
    tls: str | None
    expires_at: datetime | None


def bounded(seconds: float, lookup: Lookup = system_lookup) -> Lookup:
    """A look-up that gives up: the operating system's own may take half a minute."""

    def look(host: str, port: int) -> Sequence[str]:
        found: list[Sequence[str]] = []
        failed: list[Exception] = []

        def ask() -> None:
            try:
                found.append(lookup(host, port))
            except (OSError, UnicodeError) as error:
                failed.append(error)

        asking = threading.Thread(target=ask, name="xianjie-lookup", daemon=True)
        asking.start()
        asking.join(seconds)
        if failed:
            raise failed[0]
        if not found:
            raise TimeoutError("the name was not resolved in time")
        return found[0]

    return look


def reach(endpoint: Endpoint, *, ca_bundle: str | None, seconds: float) -> Reached:
    """Connects, shakes hands, and hangs up. Raises NoAnswer."""
    begun = monotonic()
    try:
        with socket.create_connection((endpoint.address, endpoint.port), timeout=seconds) as plain:
            if endpoint.scheme == "http":
                return Reached(milliseconds=_since(begun), tls=None, expires_at=None)
            plain.settimeout(max(0.1, seconds - (monotonic() - begun)))
            trusting = ssl.create_default_context(cafile=ca_bundle)
            with trusting.wrap_socket(plain, server_hostname=endpoint.host) as secure:
                return Reached(milliseconds=_since(begun), tls=secure.version(), expires_at=_expiry(secure))
    except TimeoutError as error:
        raise NoAnswer(NoAnswerReason.CONNECT_TIMEOUT, may_have_arrived=False) from error
    except ssl.SSLError as error:
        raise NoAnswer(NoAnswerReason.TLS_FAILED, may_have_arrived=False) from error
    except OSError as error:
        raise NoAnswer(NoAnswerReason.NO_CONNECTION, may_have_arrived=False) from error


def _since(begun: float) -> int:
    return round((monotonic() - begun) * 1000)


def _expiry(secure: ssl.SSLSocket) -> datetime | None:
    """When the certificate that was proven ends."""
    ends = (secure.getpeercert() or {}).get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if isinstance(ends, str) else None
