"""交还 What a simulated agency gives the gateway back, should that run on an older copy of its database.

`GET <its url>/held?since=S&own_since=T&skip=N`, asked by the gateway with a one-use token for one of the desks: the
gateway's messages with a number beyond S and the desk's receipts for them, then the desk's own messages beyond T with
the gateway's receipts where one came, without the first N; a page holds at most 1 MiB, the last one ends with the
desk's signed statement that this was all. Everything is the very bytes that were exchanged.
"""

import re
from collections.abc import Mapping

from gateway.client.recovery import line_of, statement_of
from gateway.envelope.encryption import encrypt
from gateway.envelope.token import verify_token
from gateway.errors import TrustError
from gateway.sandbox.agency_config import AgencyConfig, Desk
from gateway.sandbox.notebook import Notebook
from gateway.sandbox.reception import NDJSON, Clock, HttpAnswer

PAGE_BYTES = 900 * 1024
"""Below what a gateway reads of one answer."""
_NUMBER = re.compile(r"[0-9]{1,16}")
_BEARER = "bearer "


class GivingBack:
    """交还. Any number of threads."""

    def __init__(self, config: AgencyConfig, notebook: Notebook, clock: Clock) -> None:
        self._config, self._notebook, self._clock = config, notebook, clock

    def held(self, authorization: str, url: str, query: Mapping[str, str]) -> HttpAnswer:
        """One page. url: as the gateway asked for it."""
        try:
            desk = self._asked(authorization, url)
        except TrustError as error:
            return HttpAnswer(status=error.status, content_type="text/plain")
        texts = [query.get(name, "0") for name in ("since", "own_since", "skip")]
        if not all(_NUMBER.fullmatch(text) for text in texts):
            return HttpAnswer(status=400, content_type="text/plain")
        since, own_since, skip = (int(text) for text in texts)
        lines = self._lines(desk, since, own_since)[skip:]
        return HttpAnswer(status=200, body=b"".join(line + b"\n" for line in _page(lines)), content_type=NDJSON)

    def _asked(self, authorization: str, url: str) -> Desk:
        """Which desk the gateway asks, proven by its token. Raises TrustError."""
        raw = authorization[len(_BEARER) :] if authorization.lower().startswith(_BEARER) else ""
        now, keyring = self._clock(), self._config.keyring
        for desk in self._config.desks.values():
            try:
                token = verify_token(raw, keyring, audience=desk.party_id, method="GET", url=url, now=now)
            except TrustError as error:
                if error.note == "wrong_audience":
                    continue
                raise
            expires = token.expires_at.timestamp()
            if not self._notebook.use_token(token.jti, expires=expires, now=now.timestamp()):
                raise TrustError("token_used_before")
            return desk
        raise TrustError("wrong_audience")

    def _lines(self, desk: Desk, since: int, own_since: int) -> list[bytes]:
        received = self._notebook.held(desk.party_id, own=False, since=since)
        sent = self._notebook.held(desk.party_id, own=True, since=own_since)
        found = [line_of(self._wrap(one.jws), one.receipt) for one in received]
        found += [line_of(self._wrap(one.jws), one.receipt) for one in sent]
        return [*found, line_of(self._statement(desk), None)]

    def _statement(self, desk: Desk) -> str:
        sent = self._notebook.held(desk.party_id, own=True, since=0)
        received = self._notebook.held(desk.party_id, own=False, since=0)
        return statement_of(
            desk.key,
            self._config.gateway,
            sent=max((one.seq for one in sent if one.receipt is not None), default=0),
            open_numbers=[one.seq for one in sent if one.receipt is None],
            received=max((one.seq for one in received), default=0),
            now=self._clock(),
        )

    def _wrap(self, jws: str) -> str:
        """Encrypted, where the gateway has a key for it."""
        key = self._config.keyring.encryption_key_of(self._config.gateway, self._clock())
        return jws if key is None else encrypt(jws, key)


def _page(lines: list[bytes]) -> list[bytes]:
    """As many as fit; the first always does."""
    page: list[bytes] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if page and size > PAGE_BYTES:
            break
        page.append(line)
    return page
