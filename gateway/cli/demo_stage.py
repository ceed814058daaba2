"""演示舞台 Plays the told cases against the running demonstration: every party a client with its own key and journal.

The offices of the two counties have mailboxes that nobody but the stage empties. What the gateway's operator does in a
story is named in `OPERATIONS`; everything else travels over HTTP as a partner's message would.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from gateway.cli.demo_world import DemoWorld
from gateway.cli.partner import read_jwks
from gateway.client import Client, Journal
from gateway.envelope.signing import VerifiedMessage
from gateway.flows.adjudicate import adjudicate
from gateway.flows.context import Context
from gateway.flows.ledger import import_ledger
from gateway.flows.reconcile import reconcile_due
from gateway.sandbox.stories.programme import acts
from gateway.sandbox.stories.story import Told
from gateway.store import referrals


def hear(context: Context, now: datetime, *, about: str, days: int = 0) -> None:
    """Puts the doubts about these referrals before both sides; days: as of so much later, for what is then overdue."""
    while reconcile_due(context, now=now).referrals:
        pass
    adjudicate(context, now=now, referral_prefix=about, overdue_at=now + timedelta(days=days))


def old_ledger(context: Context, now: datetime, *, raw: bytes, name: str, document: str) -> None:
    """Imports an old ledger of aid."""
    import_ledger(context, raw, name, document=document, who="样例管理员", why="旧账入库", now=now)


PAGE = 500
OPERATIONS: Mapping[str, Callable[..., object]] = {"hear": hear, "ledger": old_ledger}
"""Name → (context, now, fields)."""
ACT_SECONDS, HEARD_SECONDS = 60.0, 30.0
"""At most so long for the mail of an act, and for one message of it: a busy machine is slow, not wrong."""
BETWEEN_ACTS = 1.5
"""Seconds in which what the worker says by itself is said."""


def read_mail(client: Client) -> int:
    """Everything that waits for a party, into its journal; how many. Reading alone takes nothing out of the mailbox."""
    after = 0
    while page := list(client.inbox(after=after, limit=PAGE)):
        after = max(one.envelope.seq or 0 for one in page)
    return after


class DemoStage:
    """The demonstration as a stage. gateway: its party id."""

    def __init__(self, world: DemoWorld, url: str, gateway: str, context: Context) -> None:
        self._world, self._url, self._gateway, self._context = world, url, gateway, context
        self._clients: dict[str, Client] = {}
        self._heard: dict[str, list[VerifiedMessage]] = {}
        self.sent = 0

    @property
    def now(self) -> datetime:
        """The demonstration's time."""
        return self._world.clock()

    def send(
        self,
        party: str,
        type_: str,
        data: Any,
        *,
        subject: str | None = None,
        answers: VerifiedMessage | None = None,
        content_type: str = "application/json",
    ) -> Told:
        """As `Stage.send`."""
        self.sent += 1
        named = {} if answers is None else {"in_reply_to": answers.envelope.id, "in_reply_to_digest": answers.digest}
        sent = self._client(party).send(
            type_, data, effect=f"story:{self.sent}", subject=subject, content_type=content_type, **named
        )
        return Told(message_id=sent.message_id, holds=sent.holds, warnings=tuple(one.code for one in sent.warnings))

    def heard(self, party: str, type_: str, matter: str) -> list[VerifiedMessage]:
        """As `Stage.heard`; what has not come yet is waited for."""
        until, mine = time.monotonic() + HEARD_SECONDS, self._heard.setdefault(party, [])
        while True:
            while found := list(self._client(party).inbox(after=max((m.envelope.seq or 0 for m in mine), default=0))):
                mine += found
            asked = [one for one in mine if one.envelope.type == type_ and one.envelope.subject == matter]
            if asked or time.monotonic() > until:
                return asked
            time.sleep(0.2)

    def put(self, party: str, path: str, body: bytes, content_type: str) -> None:
        """As `Stage.put`."""
        self._client(party).put(path, body, content_type)

    def operate(self, action: str, **fields: Any) -> None:
        """As `Stage.operate`."""
        OPERATIONS[action](self._context, self.now, **fields)

    def play(self) -> None:
        """All stories, act by act; between two acts everything that waits is handed out."""
        for _ in acts(self):
            self._deliver()
        self._deliver()

    def _deliver(self) -> None:
        until = time.monotonic() + ACT_SECONDS
        time.sleep(BETWEEN_ACTS)
        while time.monotonic() < until:
            with self._context.store.reading() as connection:
                if not referrals.waiting(connection, now=self.now, limit=1):
                    return
            time.sleep(0.2)

    def commit(self) -> None:
        """Every party of the stories reads its mail and commits to what was exchanged."""
        for client in self._clients.values():
            read_mail(client)
            client.commit(self.now)

    def _client(self, party: str) -> Client:
        if party not in self._clients:
            self._clients[party] = Client(
                url=self._url,
                key=self._world.key(party),
                gateway=self._gateway,
                gateway_keys=read_jwks(self._world.folder / "gateway-keys.json", self._gateway),
                journal=Journal(self._world.journal_path(party)),
                clock=self._world.clock,
            )
        return self._clients[party]
