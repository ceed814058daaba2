"""客户端 A party's side of the wire: signs, remembers, sends, and believes nothing but the gateway's signed receipt.

1. What is to happen has a name, its effect; its bytes are in the journal before they are sent (Law 2).
2. Three outcomes (Law 3): a receipt (`Sent`); a problem document (the gateway's own error, or `Refused`); unknown
   (`PartnerUnreachable`): nothing answered, 5xx, or somebody else did. Then the same call sends the same bytes.
3. A receipt counts when the gateway signed it and it names our id and digest (Law 4); else `ReceiptMismatch`.
4. After a refusal the caller may correct the data and send the same effect again, under a new id. Numbers (`seq`) of
   refused messages go to the next new ones (see `journal`).
Nothing is retried here. Errors hold ids and codes only.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

import requests

from gateway.client.http import JOSE, NDJSON, Wire
from gateway.client.journal import Entry, Journal
from gateway.client.outcome import Outgoing, Refused, Sent
from gateway.client.proof import receipt_for, receipt_on_file, sent_by
from gateway.envelope.keyring import Keyring, PublicKey, SigningKey
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import (
    ReferralUnknown,
    TrustError,
    XianjieError,
)
from gateway.transport.answer import NoAnswer
from schemas.envelope import JSON_TYPE
from schemas.fields import MessageId

BATCH_LINES, BATCH_BYTES = 100, 4 * 1024 * 1024
_MESSAGES, _BATCH, _INBOX = "/v1/messages", "/v1/messages/batch", "/v1/inbox"
_ENVELOPE_BYTES = 1500
_REFERRAL_ID = re.compile(rf"(?!\.{{1,2}}\Z){MessageId.PATTERN}")

logger = logging.getLogger(__name__)

Result = Sent | Refused


class Client:
    """One party's connection to its gateway; any number of threads may use it.

    gateway_keys: the gateway's public keys, from the administrator, never from the wire. session: instead of our own,
    which takes nothing from the environment. timeout: seconds for a whole answer. verify: a PEM file of authorities.
    """

    def __init__(
        self,
        *,
        url: str,
        key: SigningKey,
        gateway: str,
        gateway_keys: Keyring | Sequence[PublicKey],
        journal: Journal,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        session: requests.Session | None = None,
        timeout: float = 30,
        verify: str | Path | None = None,
    ) -> None:
        self._wire = Wire(url, session=session, timeout=timeout, verify=verify)
        self._key = key
        self._gateway = gateway
        is_keyring = isinstance(gateway_keys, Keyring)
        self._keyring = gateway_keys if is_keyring else Keyring(gateway_keys, {gateway: "gateway"})
        self._journal = journal
        self._clock = clock

    def send(self, type_: str, data: Any, *, effect: str, subject: str | None = None, **fields: Any) -> Sent:
        """One message, once for ever. fields: any other of `Outgoing`.

        Raises the error of `gateway.errors` the gateway refused it with, `SameIdDifferentBytes` when the effect stood
        for other data before, `PartnerUnreachable` and `ReceiptMismatch` while nobody knows.
        """
        return self._send(Outgoing(type=type_, data=data, effect=effect, subject=subject, **fields))

    def answer(
        self,
        message: VerifiedMessage,
        type_: str,
        data: Any,
        *,
        content_type: str = JSON_TYPE,
        effect: str | None = None,
    ) -> Sent:
        """Answers one message of the gateway, as `send`. effect: else this very answer to this very message."""
        asked = message.envelope
        outgoing = Outgoing(
            type=type_,
            data=data,
            effect=effect or "",
            subject=asked.subject,
            content_type=content_type,
            in_reply_to=asked.id,
            in_reply_to_digest=message.digest,
            conversation_id=asked.conversation_id or asked.subject,
        )
        return self._send(outgoing if effect else outgoing.named_by_content())

    def send_many(self, items: Iterable[Outgoing]) -> Iterator[Result]:
        """Many messages in few requests; one result each, in order.

        An unknown outcome of one of them is a `Refused` that is retryable. When a request as a whole fails the results
        that are known are given first, then the error is raised; run the same again.
        """
        for batch in _batches(items):
            yield from self._send_batch(batch)

    def inbox(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        wait: int = 20,
        on_refused: Callable[[XianjieError], None] | None = None,
    ) -> Iterator[VerifiedMessage]:
        """The mailbox's messages after a sequence number, each proven to be the gateway's and for us.

        wait: seconds the gateway may wait for one to come. A line that is not proven is logged as an error and handed
        to `on_refused`; it costs no other its place. When the answer is cut, what came whole is given first.
        """
        with self._asked(_INBOX, {"after": after, "limit": limit, "wait": wait}, wait=wait) as answer:
            lines, failure = _until_failure(answer.lines())
        now = self._clock()
        for number, line in enumerate(lines, start=1):
            try:
                message = verify(line, self._keyring, recipient=self._key.party_id, now=now)
                if message.party_id != self._gateway:
                    raise TrustError("not_the_gateway")
            except XianjieError as error:
                logger.error("mailbox line refused: %s", error.code, extra={"line": number, "error_code": error.code})
                if on_refused is not None:
                    on_refused(error)
                continue
            yield message
        if failure is not None:
            raise _unreachable(failure) from failure

    def referral(self, referral_id: str) -> dict[str, Any]:
        """The fate of one of our referrals. Raises `ReferralUnknown`, `Forbidden`, `PartnerUnreachable`."""
        if not _REFERRAL_ID.fullmatch(referral_id):  # no id: it shall not stand in an address
            raise ReferralUnknown
        return self._read(f"/v1/referrals/{referral_id}", {})

    def balance(self, from_: date | None = None, to: date | None = None) -> dict[str, Any]:
        """The balance of what was accepted within these days. Raises `Forbidden`, `PartnerUnreachable`."""
        days = {"from": from_, "to": to}
        return self._read("/v1/balance", {name: day.isoformat() for name, day in days.items() if day is not None})

    # --- one message ---

    def _send(self, outgoing: Outgoing) -> Sent:
        entry = self._begin([outgoing])[0]
        if isinstance(entry, XianjieError):
            raise entry
        if entry.receipt is not None:
            return sent_by(receipt_on_file(entry.receipt), outgoing, replayed=True)
        ids = {"message_id": entry.message_id}
        try:
            with self._wire.post(_MESSAGES, entry.jws.encode(), JOSE) as answer:
                body = answer.body()
        except NoAnswer as error:
            self._not_sent([entry], error)
            raise _unreachable(error, ids) from error
        if answer.status in (200, 202):
            return self._accept(entry, outgoing, body, replayed=answer.replayed)
        problem = _problem(answer, body)
        if problem is None or problem.leaves_doubt:
            raise _not_now(answer, problem, self._clock(), ids)
        self._journal.refuse([(entry.message_id, problem.code, problem.is_about_the_message)])
        raise problem.as_error(ids=ids)

    def _accept(self, entry: Entry, outgoing: Outgoing, raw: bytes, *, replayed: bool) -> Sent:
        receipt = self._proven(entry, raw)
        self._journal.accept([(entry.message_id, receipt.jws)])
        return sent_by(receipt, outgoing, replayed=replayed)

    def _proven(self, entry: Entry, raw: bytes) -> Any:
        return receipt_for(
            entry,
            raw.strip(),
            self._keyring,
            recipient=self._key.party_id,
            issuer=self._gateway,
            now=self._clock(),
        )

    # --- many ---

    def _send_batch(self, batch: Sequence[Outgoing]) -> Iterator[Result]:
        begun = self._begin(batch)
        results: list[Result | None] = []
        waiting: list[tuple[int, Entry]] = []
        for at, (entry, outgoing) in enumerate(zip(begun, batch, strict=True)):
            if isinstance(entry, XianjieError):
                results.append(Refused.of(entry, outgoing))
            elif entry.receipt is not None:
                results.append(sent_by(receipt_on_file(entry.receipt), outgoing, replayed=True))
            else:
                results.append(None)
                waiting.append((at, entry))
        failure = self._exchange_batch(waiting, batch, results) if waiting else None
        yield from (result for result in results if result is not None)
        if failure is not None:
            raise failure

    def _exchange_batch(
        self, waiting: Sequence[tuple[int, Entry]], batch: Sequence[Outgoing], results: list[Result | None]
    ) -> XianjieError | None:
        """Fills in the results that are known, settled in the journal; what failed as a whole is given back."""
        entries = [entry for _, entry in waiting]
        try:
            with self._wire.post(_BATCH, b"".join(entry.jws.encode() + b"\n" for entry in entries), NDJSON) as answer:
                if answer.status != 200:
                    return self._batch_refused(answer, entries)
                lines, failure = _until_failure(answer.lines())
        except NoAnswer as error:
            self._not_sent(entries, error)
            return _unreachable(error)
        accepted: list[tuple[str, str]] = []
        refused: list[tuple[str, str, bool]] = []
        for (at, entry), line in zip_longest(waiting, lines[: len(waiting)], fillvalue=None):  # type: ignore[misc]
            if line is None:
                continue
            results[at] = self._judge(entry, batch[at], line, accepted, refused)
        self._journal.accept(accepted)
        self._journal.refuse(refused)
        return failure
