"""受理台 What every page and route needs: the flows' context, the clock, our public address, and who is asking."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import request

from gateway.domain.access import Account
from gateway.domain.agreement import PartyKind
from gateway.errors import Forbidden
from gateway.flows.context import Context
from gateway.store import log, tokens
from gateway.transport.provider import Provider
from gateway.web import access_log
from gateway.web.auth import read_caller


@dataclass(frozen=True, kw_only=True, slots=True)
class Tour:
    """演示人员: synthetic people of a demonstration, all with one password that everybody may know."""

    people: Sequence[Account]
    password: str


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Built once with the application."""

    context: Context
    clock: Callable[[], datetime]
    public_url: str | None
    provider: Provider | None = None
    tour: Tour | None = None
    """In a demonstration alone."""

    def caller(self, *kinds: PartyKind) -> str:
        """The party that asks, proven by its one-use token, of one of these kinds. Raises TrustError, Forbidden."""
        now = self.clock()
        header = request.headers.get("Authorization")
        keyring = self.context.keyring_for((header or "").rpartition(" ")[2].encode(), now)
        party_id = read_caller(
            header,
            method=request.method,
            url=self.url(),
            keyring=keyring,
            audience=self.context.party_id,
            now=now,
            used=self._use,
        )
        access_log.note(party_id=party_id)
        if keyring.kind_of(party_id) not in kinds:
            raise Forbidden(ids={"party_id": party_id})
        return party_id

    def url(self) -> str:
        """The address asked, as partners write it."""
        return request.base_url if self.public_url is None else self.public_url.rstrip("/") + request.path

    def require_signing(self) -> None:
        """Raises InRecovery while an older copy would answer with what is not so any more."""
        with self.context.store.reading() as connection:
            log.require_signing(connection)

    def _use(self, jti: str, party_id: str, expires_at: datetime) -> bool:
        return self.context.store.write(lambda connection: tokens.use(connection, party_id, jti, expires_at))
