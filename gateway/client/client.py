"""网关客户端 Sends a partner's messages and proves every answer; see the package for the ten lines."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from hashlib import sha256
from itertools import islice
from typing import Any

from gateway.client.completeness import COMMITMENT_TYPE, Books, OverHttp, Reckoning, body_of, reckon
from gateway.client.journal import ACCEPTED, Ending, Entry, Journal
from gateway.client.recovery import GivenBack, GivingBack
from gateway.client.values import Outgoing, Refused, Sent
from gateway.client.wire import MAX_OBJECT, MAX_PAGE, Wire, error_of, read_problem
from gateway.domain.agreement import PartyKind
from gateway.envelope import encryption, token
from gateway.envelope.encryption import EncryptionKey
from gateway.envelope.keyring import Keyring, PublicKey, SigningKey
from gateway.envelope.message import Envelope, digest, new_id
from gateway.envelope.signing import MESSAGE_TYP, VerifiedMessage, sign, verify
from gateway.errors import (
    FieldProblem,
    InRecovery,
    PartnerUnreachable,
    ReceiptMismatch,
    ReferralUnknown,
    SameIdDifferentBytes,
    XianjieError,
)
from gateway.evidence.completeness import Direction, Numbered
from gateway.evidence.receipt import ReceiptVerdict, Rung, read, require_answer
from gateway.failpoints import failpoint
from schemas.envelope import JSON_TYPE
from schemas.fields import MessageId

NDJSON = "application/x-ndjson"
BATCH = 100
REQUEST_BYTES = 8 * 1024 * 1024
TIMEOUT = 30.0
_ID = re.compile(MessageId.PATTERN)
_COMMITMENT = "commitment:"


class Client:
    """One party's voice. Safe to share between threads; each gets HTTP connections of its own.

    decryption: the party's own keys for what was encrypted to it. Where `gateway_keys` holds a key for encryption, what
    is sent is encrypted to it; receipts name the signed message inside.
    """

    def __init__(
        self,
        *,
        url: str,
        key: SigningKey,
        gateway: str,
        gateway_keys: Iterable[PublicKey],
        journal: Journal,
        clock: Callable[[], datetime],
        verify_tls: bool | str = True,
        timeout: float = TIMEOUT,
        decryption: Iterable[EncryptionKey] = (),
    ) -> None:
        self._decryption = tuple(decryption)
        self._key, self._gateway, self._journal = key, gateway, journal
        self._keyring = Keyring(gateway_keys, {gateway: PartyKind.GATEWAY.value})
        self._clock, self._wire = clock, Wire(url, verify_tls=verify_tls, timeout=timeout)

    def send(self, type_: str, data: Any, *, effect: str, subject: str | None = None, **more: Any) -> Sent:
        """One message; raises the gateway's own error when it is refused, PartnerUnreachable when its
        outcome is not known."""
        result = next(self.send_many([Outgoing(type=type_, data=data, effect=effect, subject=subject, **more)]))
        if isinstance(result, Refused):
            raise _as_error(result)
        return result

    def send_many(self, items: Iterable[Outgoing]) -> Iterator[Sent | Refused]:
        """An outcome for each whose outcome is known, in order. Where one is not (a lost answer, a receipt that proves
        nothing, a gateway that is busy), the others go on and the error is raised at the end: run the same again, the
        same bytes go. Nothing more is tried when a whole request was not answered."""
        source = iter(items)
        trouble: XianjieError | None = None
        while group := list(islice(source, BATCH)):
            for result in self._send_group(group):
                if isinstance(result, XianjieError):
                    trouble = trouble or result
                else:
                    yield result
        if trouble is not None:
            raise trouble

    def answer(self, message: VerifiedMessage, type_: str, data: Any, content_type: str = JSON_TYPE) -> Sent:
        """A reply to a message of the gateway, naming its id and digest; the same reply again is the same message."""
        said = sha256(json.dumps([type_, data], sort_keys=True).encode()).hexdigest()[:32]
        return self.send(
            type_,
            data,
            effect=f"answer:{message.envelope.id}:{said}",
            subject=message.envelope.subject,
            in_reply_to=message.envelope.id,
            in_reply_to_digest=message.digest,
            content_type=content_type,
        )

    def take(self, message: VerifiedMessage) -> Sent:
        """Takes a notice that was read out of this party's mailbox; twice changes nothing."""
        return self.answer(message, "message.retrieved", {})

    def inbox(self, *, after: int = 0, limit: int = 100, wait: int = 0) -> Iterator[VerifiedMessage]:
        """Messages that wait for this party, each proven and journalled. One that proves nothing is raised after the
        good ones."""
        asked = {"after": after, "limit": limit, "wait": wait}
        answer = self._get("/v1/inbox", asked, extra=wait, most=MAX_PAGE)
        trouble: XianjieError | None = None
        proven: list[VerifiedMessage] = []
        for line in answer.split(b"\n"):
            if not line.strip():
                continue
            try:
                proven.append(self._open(line.strip()))
            except XianjieError as error:
                trouble = trouble or error
        self._journal.keep_received(proven, at=self._clock())
        yield from proven
        if trouble is not None:
            raise trouble

    def _open(self, raw: bytes) -> VerifiedMessage:
        """One message of the gateway, decrypted where it came so."""
        jws = encryption.decrypt(raw, self._decryption) if encryption.is_encrypted(raw) else raw
        return verify(jws, self._keyring, recipient=self._key.party_id, now=self._clock())

    def referral(self, referral_id: str) -> dict[str, Any]:
        """The fate of one referral of this court. Raises ReferralUnknown, also for what can be no id."""
        if not _ID.fullmatch(referral_id) or not referral_id.strip("."):
            raise ReferralUnknown
        return self._get_object(f"/v1/referrals/{referral_id}", {})

    def evidence(self, referral_id: str, *, witnessed: Iterable[int] = ()) -> bytes:
        """The sealed evidence bundle of one referral, for its court or an auditor; `xianjie verify` checks it.
        witnessed: sizes of checkpoints held. Raises ReferralUnknown, also for what can be no id."""
        if not _ID.fullmatch(referral_id) or not referral_id.strip("."):
            raise ReferralUnknown
        return self._get(f"/v1/referrals/{referral_id}/evidence", {"witnessed": list(witnessed)}, most=MAX_PAGE)

    def balance(self, from_: date | None = None, to: date | None = None, *, by: str | None = None) -> dict[str, Any]:
        """The balance of what was accepted in between, by court and month or by another dimension, with the signed
        checkpoint it was read at."""
        asked = {"from": from_ and from_.isoformat(), "to": to and to.isoformat(), "by": by}
        return self._get_object("/v1/balance", {name: value for name, value in asked.items() if value is not None})

    def compare(self, cutoff: datetime) -> Reckoning:
        """Whether anything is missing between this party and the gateway; sends nothing. Raises CommitmentContradicted,
        PartnerUnreachable."""
        books = Books(party_id=self._key.party_id, gateway=self._gateway, rows=self._held)
        found = reckon(books, OverHttp(get=self._get, prove=self._open), cutoff=cutoff)
        for stream in found.streams:
            signed = stream.theirs
            self._journal.keep_commitment(
                signed.source,
                signed.recipient,
                high_water=signed.high_water,
                root=signed.root,
                jws=stream.signed,
                at=self._clock(),
            )
        return found

    def commit(self, cutoff: datetime) -> Reckoning:
        """Compares, and sends what came of it as this party's commitment to the cut-off; an earlier one whose outcome
        is not known goes first, or its number would stay open."""
        own, gateway = self._key.party_id, self._gateway
        self._post(self._journal.unanswered(own, gateway, effects=_COMMITMENT))
        found = self.compare(cutoff)
        body = body_of(found)
        said = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]
        return replace(found, message_id=self.send(COMMITMENT_TYPE, body, effect=_COMMITMENT + said).message_id)

    def give_back(self) -> GivenBack:
        """Gives the gateway, which runs on an older copy of its database, everything of this pair that it lost. Raises
        NotInRecovery where it lost nothing, PartnerUnreachable: run it again, twice changes nothing."""
        giving = GivingBack(
            key=self._key, gateway=self._gateway, journal=self._journal, clock=self._clock, wrap=self._wrap
        )
        return giving.send(self._get_object, self._post_back)

    def put(self, path: str, body: Any, content_type: str, *, query: Mapping[str, Any] | None = None) -> bytes:
        """One authenticated `PUT` under this party's name, e.g. a statement's lines; body: bytes or an iterator.
        Raises PartnerUnreachable, and what refuses it."""
        now = self._clock()
        proof = token.issue(
            self._key, audience=self._gateway, method="PUT", url=self._wire.url + path, now=now, jti=new_id(now)
        )
        return self._wire.put(path, body, content_type, bearer=proof, query=query or {})

    def ask(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """One authenticated read under this party's name. Raises PartnerUnreachable, and what refuses it."""
        return self._get_object(path, query)

    def _post_back(self, path: str, body: bytes) -> Iterator[bytes]:
        now = self._clock()
        proof = token.issue(
            self._key, audience=self._gateway, method="POST", url=self._wire.url + path, now=now, jti=new_id(now)
        )
        return self._wire.post_lines(path, body, NDJSON, bearer=proof)

    def _held(self, direction: Direction, seq: int | None) -> list[Numbered]:
        own, gateway = self._key.party_id, self._gateway
        if direction is Direction.TO_GATEWAY:
            return self._journal.sent(own, gateway, seq)
        return self._journal.received(gateway, own, seq)

    def _get_object(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        try:
            found = json.loads(self._get(path, query))
        except ValueError as error:
            raise PartnerUnreachable("not_json") from error
        if not isinstance(found, dict):
            raise PartnerUnreachable("not_json")
        return found

    def _get(self, path: str, query: Mapping[str, Any], *, extra: float = 0, most: int = MAX_OBJECT) -> bytes:
        now = self._clock()
        proof = token.issue(
            self._key, audience=self._gateway, method="GET", url=self._wire.url + path, now=now, jti=new_id(now)
        )
        return self._wire.get(path, query, bearer=proof, extra=extra, limit=most)

    def _send_group(self, group: Sequence[Outgoing]) -> Iterator[Sent | Refused | XianjieError]:
        entries = self._journal.prepare(self._key.party_id, self._gateway, group, self._write)
        failpoint("client.journalled")
        open_ = [entry for entry in entries if entry.state != ACCEPTED]
        answers = self._post(open_)
        failpoint("client.settled")
        for item, entry in zip(group, entries, strict=True):
            answer = answers.get(entry.message_id)
            if entry.state == ACCEPTED:
                yield _changed(item) if entry.changed else _sent(item, entry, replayed=True)
            elif isinstance(answer, Ending):
                yield _changed(item) if entry.changed else _ended(item, entry, answer)
            elif isinstance(answer, dict):
                yield _refused(item, answer)
            else:
                yield answer or PartnerUnreachable("no_answer", ids={"message_id": entry.message_id})

    def _write(self, item: Outgoing, seq: int) -> tuple[str, str]:
        now = self._clock()
        envelope = Envelope(
            id=new_id(now),
            source=self._key.party_id,
            type=item.type,
            time=now,
            recipient=self._gateway,
            subject=item.subject,
            conversation_id=item.subject,
            in_reply_to=item.in_reply_to,
            in_reply_to_digest=item.in_reply_to_digest,
            seq=seq,
            datacontenttype=item.content_type,
            data=item.data,
        )
        return envelope.id, sign(envelope.to_payload(), self._key, MESSAGE_TYP)

    def _post(self, entries: Sequence[Entry]) -> dict[str, Ending | dict[str, Any] | XianjieError]:
        """By message id: its receipt, the problem that refuses it, or why its outcome is not known. A message that is
        missing was not answered. Raises where nobody answered at all."""
        answers: dict[str, Ending | dict[str, Any] | XianjieError] = {}
        try:
            for part in _parts((entry, self._wrap(entry.jws)) for entry in _each_once(entries)):
                body = "\n".join(line for _, line in part).encode()
                lines = list(islice(self._wire.post_lines("/v1/messages/batch", body, NDJSON), len(part) + 1))
                failpoint("client.answered")
                if len(lines) <= len(part):  # else nobody can tell which line belongs to which message
                    answers |= {
                        entry.message_id: self._judge(entry, line)
                        for (entry, _), line in zip(part, lines, strict=False)
                    }
        finally:
            endings = (_ending(message_id, answer) for message_id, answer in answers.items())
            self._journal.settle([ending for ending in endings if ending is not None])
        return answers

    def _wrap(self, jws: str) -> str:
        """As it travels."""
        key = self._keyring.encryption_key_of(self._gateway, self._clock())
        return jws if key is None else encryption.encrypt(jws, key)

    def _judge(self, entry: Entry, line: bytes) -> Ending | dict[str, Any] | XianjieError:
        ids = {"message_id": entry.message_id}
        if line.lstrip().startswith((b"{", b"[", b"<")):
            problem = read_problem(line)
            if problem is not None and problem["code"] == InRecovery.code:
                return InRecovery(ids=ids)
            if problem is None or problem.get("retryable", True) or problem.get("status", 500) >= 500:
                return PartnerUnreachable(problem["code"] if problem else "not_a_receipt", ids=ids)
            return problem
        try:
            return self._prove(entry, line.strip())
        except ReceiptMismatch as error:
            return error
        except XianjieError as error:
            return ReceiptMismatch(error.code, ids=ids)

    def _prove(self, entry: Entry, line: bytes) -> Ending:
        """Law 4: a receipt that does not name our id and digest, or does not say that it was taken, is none."""
        receipt = read(line, self._keyring, recipient=self._key.party_id, issuer=self._gateway, now=self._clock())
        require_answer(receipt, message_id=entry.message_id, message_digest=digest(entry.jws))
        if receipt.rung is not Rung.SUBMISSION or receipt.verdict is not ReceiptVerdict.ACCEPTED:
            raise ReceiptMismatch("another_rung", ids={"message_id": entry.message_id})
        return Ending(message_id=entry.message_id, receipt=receipt.jws, warnings=receipt.warnings, holds=receipt.holds)


def _each_once(entries: Sequence[Entry]) -> Iterable[Entry]:
    return {entry.message_id: entry for entry in entries}.values()


def _parts(lines: Iterable[tuple[Entry, str]]) -> Iterator[list[tuple[Entry, str]]]:
    """As many as fit into one request."""
    part: list[tuple[Entry, str]] = []
    size = 0
    for entry, line in lines:
        if part and size + len(line) > REQUEST_BYTES:
            yield part
            part, size = [], 0
        part.append((entry, line))
        size += len(line) + 1
    if part:
        yield part


def _ending(message_id: str, answer: Ending | dict[str, Any] | XianjieError) -> Ending | None:
    """What the journal keeps. That the gateway does not know our key, or does not let us, says nothing of an earlier
    attempt."""
    if isinstance(answer, XianjieError):
        return None
    if isinstance(answer, Ending):
        return answer
    return Ending(message_id=message_id, receipt=None, of_attempt=answer.get("status") in (401, 403))


def _sent(item: Outgoing, entry: Entry, *, replayed: bool) -> Sent:
    return Sent(
        message_id=entry.message_id,
        digest=digest(entry.jws),
        receipt=entry.receipt or "",
        effect=item.effect,
        reference=item.reference,
        warnings=entry.warnings,
        holds=entry.holds,
        replayed=replayed,
    )


def _ended(item: Outgoing, entry: Entry, ending: Ending) -> Sent:
    return Sent(
        message_id=entry.message_id,
        digest=digest(entry.jws),
        receipt=ending.receipt or "",
        effect=item.effect,
        reference=item.reference,
        warnings=ending.warnings,
        holds=ending.holds,
    )


def _changed(item: Outgoing) -> Refused:
    """The effect was accepted with other content: what was sent cannot be changed by sending it differently."""
    error = SameIdDifferentBytes
    return Refused(
        code=error.code,
        status=error.status,
        fault=error.fault.value,
        title=" ".join(error.title),
        next_step=" ".join(error.next_step),
        effect=item.effect,
        reference=item.reference,
    )


def _refused(item: Outgoing, problem: Mapping[str, Any]) -> Refused:
    return Refused(
        code=str(problem.get("code", "internal")),
        status=int(problem.get("status", 0)),
        fault=str(problem.get("fault", "")),
        title=str(problem.get("title", "")),
        next_step=str(problem.get("detail", "")),
        effect=item.effect,
        reference=item.reference,
        errors=tuple(problem.get("errors", ())),
    )


def _as_error(refused: Refused) -> XianjieError:
    problems = [FieldProblem(pointer=str(one.get("pointer")), code=str(one.get("code"))) for one in refused.errors]
    return error_of({"code": refused.code}, problems=problems, ids={"effect": refused.effect})
