"""连接测试 Whether an office's push address may be connected to and answers, told step by step; each test is on file.

Rules: the address is judged exactly as for a push, so nothing is connected to that is neither public nor on the
administrator's list; nothing is sent; of the URL only host and port are told, its path may be a secret.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from time import monotonic

from gateway.domain.agreement import Office
from gateway.errors import AddressRefused
from gateway.flows.context import Context
from gateway.store import decisions
from gateway.transport.address import Lookup, resolve, system_lookup
from gateway.transport.answer import NoAnswer
from gateway.transport.probe import Reached, bounded, reach

SECONDS = 3.0
CERTIFICATE_SOON = timedelta(days=30)


class Reach(StrEnum):
    """How far a test came."""

    NO_ADDRESS = "no_address"
    """The office is not pushed to."""
    REFUSED = "refused"
    """The address may not be connected to."""
    UNREACHED = "unreached"
    REACHED = "reached"


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionTest:
    """One test. host: name and port; address: what the name leads to; why: a code, where it did not come through."""

    office_id: str
    reach: Reach
    host: str = ""
    address: str = ""
    scheme: str = ""
    why: str = ""
    answered: Reached | None = None

    def ends_soon(self, now: datetime) -> bool:
        """Whether the certificate ends within thirty days."""
        ends = None if self.answered is None else self.answered.expires_at
        return ends is not None and ends - now < CERTIFICATE_SOON


def try_connection(
    context: Context, office: Office, *, who: str, now: datetime, lookup: Lookup = system_lookup
) -> ConnectionTest:
    """Tries, within three seconds, and keeps that it was tried."""
    found = _try(context, office, lookup)
    why = f"{found.reach.value} {found.why}".strip()
    context.store.write(
        lambda connection: decisions.put(
            connection, who=who, what="connection_tested", subject=office.office_id, why=why, now=now
        )
    )
    return found


def _try(context: Context, office: Office, lookup: Lookup) -> ConnectionTest:
    if office.url is None:
        return ConnectionTest(office_id=office.office_id, reach=Reach.NO_ADDRESS)
    begun = monotonic()
    try:
        endpoint = resolve(office.url, allowed=context.installed.allow_addresses, lookup=bounded(SECONDS, lookup))
    except AddressRefused as error:
        return ConnectionTest(office_id=office.office_id, reach=Reach.REFUSED, why=error.note)
    except NoAnswer as failure:
        return ConnectionTest(office_id=office.office_id, reach=Reach.UNREACHED, why=failure.reason.value)
    found = partial(
        ConnectionTest,
        office_id=office.office_id,
        host=f"{endpoint.host}:{endpoint.port}",
        address=endpoint.address,
        scheme=endpoint.scheme,
    )
    left = max(0.1, SECONDS - (monotonic() - begun))
    try:
        answered = reach(endpoint, ca_bundle=context.installed.ca_bundle, seconds=left)
    except NoAnswer as failure:
        return found(reach=Reach.UNREACHED, why=failure.reason.value)
    return found(reach=Reach.REACHED, answered=answered)
