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
from hashlib import sha256
from pathlib import Path
from typing import Any

import requests

from gateway.client.http import JOSE, NDJSON, Wire
from gateway.client.journal import Entry, Journal
from gateway.client.outcome import Outgoing, Refused, Sent
from gateway.client.proof import prove_receipt, receipt_on_file, sent_by
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
        self._keyring = (
            gateway_keys if isinstance(gateway_keys, Keyring) else Keyring(gateway_keys, {gateway: "gateway"})
        )
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
        if effect is None:
            content = sha256(outgoing.content()).hexdigest()
            outgoing = replace(outgoing, effect=f"{type_}:{asked.id}:{content}")
        return self._send(outgoing)

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
            lines, cut = _until_cut(answer.lines())
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
        if cut is not None:
            raise PartnerUnreachable(cut.reason.value) from cut

    def referral(self, referral_id: str) -> dict[str, Any]:
        """The fate of one of our referrals. Raises `ReferralUnknown`, `Forbidden`, `PartnerUnreachable`."""
        if not _REFERRAL_ID.fullmatch(referral_id):  # no id: it shall not stand in an address
            raise ReferralUnknown
        return self._read(f"/v1/referrals/{referral_id}", {})

    def balance(self, from_: date | None = None, to: date | None = None) -> dict[str, Any]:
        """The balance of what was accepted within these days. Raises `Forbidden`, `PartnerUnreachable`."""
        days = {"from": from_, "to": to}
        return self._read("/v1/balance", {name: day.isoformat() for name, day in days.items() if day is not None})

    def _begin(self, batch: Sequence[Outgoing]) -> list[Entry | XianjieError]:
        now = self._clock()
        wanted = [
            Wanted(effect=one.effect, content=one.content(), write=lambda seq, one=one: self._write(one, seq, now))  # type: ignore[misc]
            for one in batch
        ]
        return self._journal.begin(self._key.party_id, self._gateway, wanted)

    def _write(self, outgoing: Outgoing, seq: int, now: datetime) -> tuple[str, str]:
        envelope = Envelope(
            id=new_id(now),
            source=self._key.party_id,
            type=outgoing.type,
            time=now,
            recipient=self._gateway,
            subject=outgoing.subject,
            conversation_id=outgoing.conversation_id or outgoing.subject,
            in_reply_to=outgoing.in_reply_to,
            in_reply_to_digest=outgoing.in_reply_to_digest,
            seq=seq,
            purpose=outgoing.purpose,
            legal_basis=outgoing.legal_basis,
            datacontenttype=outgoing.content_type,
            data=outgoing.data,
        )
        jws = sign(envelope.to_payload(), self._key, MESSAGE_TYP)
        if len(jws) > MAX_JWS_BYTES:
            raise TooLarge("jws")
        return envelope.id, jws

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
            raise self._unknown(error, [entry]) from error
        if answer.status not in (200, 202):
            problem = _problem(answer, body)
            if problem is None or problem.leaves_doubt:
                raise _not_now(answer, problem, self._clock(), ids)
            self._journal.refuse([(entry.message_id, problem.code, is_about_the_message(problem.code))])
            raise problem.as_error(ids=ids)
        receipt = self._prove(entry, body.strip())
        self._journal.accept([(entry.message_id, receipt.jws)])
        return sent_by(receipt, outgoing, replayed=answer.replayed)

    def _prove(self, entry: Entry, raw: bytes) -> Receipt:
        own, now = self._key.party_id, self._clock()
        return prove_receipt(entry, raw, self._keyring, recipient=own, issuer=self._gateway, now=now)

    def _send_batch(self, batch: Sequence[Outgoing]) -> Iterator[Result]:
        begun = list(zip(self._begin(batch), batch, strict=True))
        waiting = [(entry, outgoing) for entry, outgoing in begun if isinstance(entry, Entry) and entry.receipt is None]
        answered, failure = self._exchange(waiting) if waiting else ([], None)
        rest = iter(answered)
        for entry, outgoing in begun:
            if isinstance(entry, XianjieError):
                yield Refused.of(entry, outgoing)
            elif entry.receipt is not None:
                yield sent_by(receipt_on_file(entry.receipt), outgoing, replayed=True)
            elif (result := next(rest, None)) is not None:
                yield result
        if failure is not None:
            raise failure

    def _exchange(self, waiting: Sequence[tuple[Entry, Outgoing]]) -> tuple[list[Result], XianjieError | None]:
        """The results from the first one on, in the journal already, and what failed when they are not all."""
        entries = [entry for entry, _ in waiting]
        try:
            with self._wire.post(_BATCH, b"".join(entry.jws.encode() + b"\n" for entry in entries), NDJSON) as answer:
                if answer.status != 200:
                    return [], self._whole_refused(answer, entries)
                lines, cut = _until_cut(answer.lines())
        except NoAnswer as error:
            return [], self._unknown(error, entries)
        if len(lines) > len(waiting):  # which line belongs to which message is anybody's guess
            return [], PartnerUnreachable(NoAnswerReason.ANSWER_BROKEN.value)
        results = [self._judge(entry, outgoing, line) for (entry, outgoing), line in zip(waiting, lines, strict=False)]
        self._settle(results)
        if len(results) < len(waiting):
            reason = NoAnswerReason.ANSWER_BROKEN if cut is None else cut.reason
            return results, PartnerUnreachable(reason.value)
        return results, None

    def _judge(self, entry: Entry, outgoing: Outgoing, line: bytes) -> Result:
        """What one line of the answer says of its message."""
        if not line.startswith(b"{"):
            try:
                return sent_by(self._prove(entry, line), outgoing, replayed=False)
            except ReceiptMismatch as error:
                return Refused.of(error, outgoing, entry.message_id)
        problem = read_problem(line)
        if problem is None or problem.message_id not in (None, entry.message_id):
            return Refused.of(ReceiptMismatch("problem"), outgoing, entry.message_id)
        return Refused.by(problem, outgoing, entry.message_id)

    def _settle(self, results: Sequence[Result]) -> None:
        self._journal.accept((one.message_id, one.receipt.jws) for one in results if isinstance(one, Sent))
        self._journal.refuse(
            (one.message_id or "", one.code, is_about_the_message(one.code))
            for one in results
            if isinstance(one, Refused) and not one.retryable
        )

    def _whole_refused(self, answer: Answer, entries: Sequence[Entry]) -> XianjieError:
        problem = _problem(answer, answer.body())
        if problem is None or problem.leaves_doubt:
            return _not_now(answer, problem, self._clock())
        # the request was refused, none of its messages was read
        self._journal.not_sent(entry.message_id for entry in entries)
        return problem.as_error()

    def _unknown(self, error: NoAnswer, entries: Sequence[Entry]) -> PartnerUnreachable:
        if not error.may_have_arrived:
            self._journal.not_sent(entry.message_id for entry in entries)
        return PartnerUnreachable(error.reason.value, ids={"message_id": entries[0].message_id})

    def _read(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        with self._asked(path, query) as answer:
            body = answer.body()
        try:
            found = strict_json.loads(body, allow_floats=True)
        except (MalformedJson, TooLarge) as error:
            raise PartnerUnreachable(NoAnswerReason.ANSWER_BROKEN.value) from error
        if not isinstance(found, dict):
            raise PartnerUnreachable(NoAnswerReason.ANSWER_BROKEN.value)
        return found

    @contextmanager
    def _asked(self, path: str, query: Mapping[str, str | int], *, wait: int = 0) -> Iterator[Answer]:
        """An answer of 200 to a read; everything else is raised."""
        now = self._clock()
        url = self._wire.address(path)
        token = issue(self._key, audience=self._gateway, method="GET", url=url, now=now, jti=new_id(now))
        try:
            with self._wire.get(path, token, query=query, wait=wait) as answer:
                if answer.status != 200:
                    problem = _problem(answer, answer.body())
                    if problem is None or problem.leaves_doubt:
                        raise _not_now(answer, problem, self._clock())
                    raise problem.as_error()
                yield answer
        except NoAnswer as error:
            raise PartnerUnreachable(error.reason.value) from error


def _problem(answer: Answer, body: bytes) -> Problem | None:
    """The gateway's refusal; None when it was a proxy or nobody that spoke."""
    if answer.content_type != PROBLEM or not 400 <= answer.status < 600:
        return None
    problem = read_problem(body)
    return None if problem is None or problem.status != answer.status else problem


def _not_now(
    answer: Answer, problem: Problem | None, now: datetime, ids: Mapping[str, Any] | None = None
) -> PartnerUnreachable:
    note = f"http_{answer.status}" if problem is None else problem.code
    return PartnerUnreachable(note, ids=ids, retry_after=_seconds(answer.retry_after, now))


def _seconds(wanted: RetryAfter | None, now: datetime) -> int | None:
    if wanted is None:
        return None
    span = wanted - now if isinstance(wanted, datetime) else wanted
    return max(0, int(span.total_seconds()))


def _until_cut(lines: Iterator[bytes]) -> tuple[list[bytes], NoAnswer | None]:
    """The lines that came whole, and what ended them early."""
    found: list[bytes] = []
    try:
        for line in lines:
            found.append(line)
    except NoAnswer as error:
        return found, error
    return found, None


def _batches(items: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """As many as one request may hold, by count and by the size they will have about when they are signed."""
    batch: list[Outgoing] = []
    size = 0
    for item in items:
        length = (len(item.content()) + _ENVELOPE_BYTES) * 4 // 3
        if batch and (len(batch) == BATCH_LINES or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch
