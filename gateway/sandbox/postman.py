"""回件 The sending half of a simulated agency: replies that are due go to the gateway, mailboxes are emptied.

A reply is written once, in the agency's own format, and sent with the same bytes until the gateway's signed receipt
names it (200 or 202), or the gateway refuses it for good (4xx). Everything else is tried again, later each time.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlencode
from uuid import uuid4

import requests

from gateway.client.completeness import COMMITMENT_TYPE, Books, OverHttp, Reckoning, body_of, reckon
from gateway.domain.agreement import Channel
from gateway.envelope.encryption import encrypt
from gateway.envelope.message import Envelope, digest, new_id
from gateway.envelope.signing import MESSAGE_TYP, VerifiedMessage, sign, verify
from gateway.envelope.token import issue
from gateway.errors import XianjieError
from gateway.evidence.completeness import Direction, Numbered
from gateway.evidence.receipt import read, require_answer
from gateway.failpoints import failpoint
from gateway.sandbox import adjudicator, inquired
from gateway.sandbox.agency_config import AgencyConfig, Desk
from gateway.sandbox.behaviour import MESSAGE_TYPES, Step
from gateway.sandbox.desk import UNKNOWN, answers
from gateway.sandbox.formats import FORMATS
from gateway.sandbox.notebook import DueReply, Notebook, OpenHandoff
from gateway.sandbox.reception import JOSE, RETRIEVAL, Clock, Reception

logger = logging.getLogger(__name__)

TIMEOUT = 15.0
FIRST_RETRY, LONGEST_RETRY = 1.0, 60.0
TRY_AGAIN = frozenset({401, 408, 409, 425, 429})
"""Refusals that may be mended on the other side while the bytes stay right."""
INBOX_LIMIT = 100


class Http(Protocol):
    """The two requests an agency makes; (status, body). Raises ConnectionError when nothing answers."""

    def post(self, url: str, body: bytes, content_type: str) -> tuple[int, bytes]: ...
    def get(self, url: str, token: str, *, timeout: float) -> tuple[int, bytes]: ...


class RequestsHttp:
    """Over `requests`, without proxies or other settings of the environment."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False

    def post(self, url: str, body: bytes, content_type: str) -> tuple[int, bytes]:
        return self._send("POST", url, {"Content-Type": content_type}, TIMEOUT, body)

    def get(self, url: str, token: str, *, timeout: float) -> tuple[int, bytes]:
        return self._send("GET", url, {"Authorization": f"Bearer {token}"}, timeout)

    def _send(
        self, method: str, url: str, headers: dict[str, str], timeout: float, body: bytes | None = None
    ) -> tuple[int, bytes]:
        try:
            answer = self._session.request(
                method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            )
        except requests.RequestException as error:
            raise ConnectionError(type(error).__name__) from error
        return answer.status_code, answer.content


@dataclass(frozen=True, kw_only=True)
class Postman:
    """回件. One per thread, as its `http` is."""

    config: AgencyConfig
    notebook: Notebook
    reception: Reception
    http: Http
    clock: Clock

    def send_due(self, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """Every reply whose time has come, once each, unless told to stop; how many were tried."""
        tried, now = 0, self.clock().timestamp()
        while not stopping() and (found := self.notebook.due(before=now)):
            for reply in found:
                if stopping():
                    break
                self._send(reply)
                tried += 1
        return tried

    def _send(self, due: DueReply) -> None:
        now = self.clock()
        jws = due.jws or self._write(due, now)
        if jws is None:
            self.notebook.settle(due.row, "nothing")
            return
        done, receipt = self._outcome(jws, self.config.desks[due.party], now)
        failpoint("agency.told")
        if done is None:
            wait = min(LONGEST_RETRY, FIRST_RETRY * 2**due.attempts)
            self.notebook.again(due.row, due=(now + timedelta(seconds=wait)).timestamp())
        else:
            self.notebook.settle(due.row, done, receipt=receipt)
        logger.info("reply %s", done or "again", extra={"handoff_id": due.handoff_id, "step": due.step.value})

    def _outcome(self, jws: str, desk: Desk, now: datetime) -> tuple[str | None, str | None]:
        """`sent` with the gateway's receipt, `refused`, or None: nobody knows yet."""
        try:
            status, body = self.http.post(f"{self.config.gateway_url}/v1/messages", self._wrap(jws, desk, now), JOSE)
        except ConnectionError:
            return None, None
        if status in (200, 202):
            receipt = self._receipt_of(jws, body, desk, now)
            return ("sent" if receipt else None), receipt
        return ("refused" if 400 <= status < 500 and status not in TRY_AGAIN else None), None

    def _wrap(self, jws: str, desk: Desk, now: datetime) -> bytes:
        """A desk that is written to encrypted writes so itself, where the gateway has a key for it."""
        key = self.config.keyring.encryption_key_of(self.config.gateway, now)
        return (jws if key is None or desk.decryption is None else encrypt(jws, key)).encode()

    def _receipt_of(self, jws: str, body: bytes, desk: Desk, now: datetime) -> str | None:
        """The gateway's receipt for these bytes; None for anything else."""
        config = self.config
        try:
            receipt = read(body.strip(), config.keyring, recipient=desk.party_id, issuer=config.gateway, now=now)
            require_answer(receipt, message_id=receipt.message_id, message_digest=digest(jws))
        except XianjieError:
            return None
        return receipt.jws

    def _write(self, due: DueReply, now: datetime) -> str | None:
        """The reply's bytes, kept before they are sent; None where this step has nothing to say."""
        handoff = self.notebook.handoff(due.handoff_id)
        form = FORMATS[self.config.agency]
        if due.step is Step.MATCH:
            asked = adjudicator.recalled(due.handoff_id, handoff.referral)
            content_type, data = "application/json", adjudicator.disposition(asked)
        elif due.step is Step.INQUIRY:
            content_type, data = "application/json", inquired.answer(due.handoff_id, self.config.behaviour, now)
        elif due.step in (Step.DELIVERED, Step.RETRIEVED):
            content_type, data = "application/json", {"handoff_id": due.handoff_id}
        else:
            found = answers(due.step, handoff.asked, self.config.behaviour, now)
            if not found:
                return None
            spoken = [replace(one, raw_code=form.unknown_code) if one.raw_code == UNKNOWN else one for one in found]
            content_type, data = form.content_type, form.write(handoff.asked, spoken)
        envelope = self._answer_to(handoff, MESSAGE_TYPES[due.step], now)
        envelope = replace(envelope, datacontenttype=content_type, data=data)
        jws = sign(envelope.to_payload(), self.config.desks[due.party].key, MESSAGE_TYP)
        self.notebook.write(due.row, party=due.party, seq=envelope.seq or 0, message_id=envelope.id, jws=jws)
        failpoint("agency.written")
        return jws

    def _answer_to(self, handoff: OpenHandoff, kind: str, now: datetime) -> Envelope:
        return Envelope(
            id=new_id(now),
            source=handoff.party,
            type=kind,
            time=now,
            recipient=self.config.gateway,
            subject=handoff.referral or None,
            conversation_id=handoff.referral or None,
            in_reply_to=handoff.message_id,
            in_reply_to_digest=handoff.digest,
            seq=self.notebook.next_seq(handoff.party),
        )

    def empty_mailboxes(self, *, wait: int) -> int:
        """One look into each mailbox; how many messages were new. Raises ConnectionError when nothing answers."""
        boxes = [desk for desk in self.config.desks.values() if desk.channel is Channel.MAILBOX]
        return sum(self._empty(desk, wait=wait) for desk in boxes)

    def _empty(self, desk: Desk, *, wait: int) -> int:
        after = self.notebook.read_up_to(desk.party_id)
        body = self._read(desk, "/v1/inbox", {"after": after, "limit": INBOX_LIMIT, "wait": wait}, extra=wait)
        return sum(self._retrieve(raw, desk) for raw in _lines(body))

    def _read(self, desk: Desk, path: str, query: Mapping[str, Any], *, extra: float = 0) -> bytes:
        """One authenticated read. Raises ConnectionError for any answer but a good one."""
        address = f"{self.config.gateway_url}{path}"
        token = issue(
            desk.key, audience=self.config.gateway, method="GET", url=address, now=self.clock(), jti=uuid4().hex
        )
        asked = f"{address}?{urlencode(query)}" if query else address
        status, body = self.http.get(asked, token, timeout=TIMEOUT + extra)
        if status != 200:
            raise ConnectionError(f"{path} {status}")
        return body

    def commit(self) -> list[Reckoning]:
        """Each desk compares its part of the notebook with the gateway and commits to what came of it; an earlier
        commitment that nobody answered goes first. Raises ConnectionError, and what proves nothing."""
        return [self._commit(desk) for desk in self.config.desks.values()]

    def _commit(self, desk: Desk) -> Reckoning:
        config, now, party = self.config, self.clock(), desk.party_id
        self._send_commitments(desk)
        books = Books(party_id=party, gateway=config.gateway, rows=partial(self._held, party))
        found = reckon(books, OverHttp(get=partial(self._read, desk), prove=partial(self._prove, party)), cutoff=now)
        seq = self.notebook.next_seq(party)
        envelope = Envelope(
            id=new_id(now),
            source=party,
            type=COMMITMENT_TYPE,
            time=now,
            recipient=config.gateway,
            seq=seq,
            data=body_of(found),
        )
        jws = sign(envelope.to_payload(), desk.key, MESSAGE_TYP)
        self.notebook.commit(party=party, seq=seq, message_id=envelope.id, jws=jws)
        self._send_commitments(desk)
        for sentence in () if found.is_whole else found.sentences():
            logger.warning("commitment: %s", sentence)
        return replace(found, message_id=envelope.id)

    def _send_commitments(self, desk: Desk) -> None:
        for row, jws in self.notebook.unanswered_commitments(desk.party_id):
            done, receipt = self._outcome(jws, desk, self.clock())
            if done is None:
                raise ConnectionError("commitment")
            self.notebook.settle_commitment(row, done, receipt=receipt)

    def _held(self, party: str, direction: Direction, seq: int | None) -> list[Numbered]:
        of = self.notebook.sent if direction is Direction.TO_GATEWAY else self.notebook.received
        return of(party, seq)

    def _prove(self, party: str, raw: bytes) -> VerifiedMessage:
        return verify(raw.strip(), self.config.keyring, recipient=party, now=self.clock())

    def _retrieve(self, raw: bytes, desk: Desk) -> bool:
        """Takes one message in; what cannot be read stays in the mailbox for a person, and is passed over."""
        try:
            taken = self.reception.take(raw, rung=RETRIEVAL)
        except XianjieError as error:
            logger.warning("mailbox message refused: %s", error.code)
            return False
        if taken.message.envelope.seq is not None:
            self.notebook.has_read(desk.party_id, taken.message.envelope.seq)
        return taken.is_new


def _lines(body: bytes) -> Iterator[bytes]:
    return (line.strip() for line in body.split(b"\n") if line.strip())
