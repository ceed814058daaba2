"""网关客户端 Sends a partner's messages and proves every answer; see the package for the ten lines."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from itertools import islice
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from gateway.client.journal import ACCEPTED, Ending, Entry, Journal
from gateway.client.values import Outgoing, Refused, Sent
from gateway.domain.agreement import PartyKind
from gateway.envelope import token
from gateway.envelope.keyring import Keyring, PublicKey, SigningKey
from gateway.envelope.message import Envelope, digest, new_id
from gateway.envelope.signing import MESSAGE_TYP, VerifiedMessage, sign, verify
from gateway.errors import ConfigError, MessageError, PartnerUnreachable, SameIdDifferentBytes, XianjieError
from gateway.evidence.receipt import read, require_answer
from schemas.envelope import JSON_TYPE

JOSE, NDJSON = "application/jose", "application/x-ndjson"
BATCH = 100
MAX_ANSWER = 1024 * 1024
_CHUNK = 64 * 1024
TIMEOUT = 30.0


class Client:
    """One party's voice. Safe to share between threads; each gets HTTP connections of its own."""

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
    ) -> None:
        self._url, self._key, self._gateway, self._journal = url.rstrip("/"), key, gateway, journal
        self._keyring = Keyring(gateway_keys, {gateway: PartyKind.GATEWAY.value})
        self._clock, self._verify_tls, self._timeout = clock, verify_tls, timeout
        self._mine = threading.local()

    def send(self, type_: str, data: Any, *, effect: str, subject: str | None = None, **more: Any) -> Sent:
        """One message; raises MessageError when it is refused, PartnerUnreachable when its outcome is not known."""
        result = next(self.send_many([Outgoing(type=type_, data=data, effect=effect, subject=subject, **more)]))
        if isinstance(result, Refused):
            raise _as_error(result)
        return result

    def send_many(self, items: Iterable[Outgoing]) -> Iterator[Sent | Refused]:
        """An outcome for each, in order, in requests of at most `BATCH`. Raises PartnerUnreachable where the outcome of
        the rest is not known: the next call sends the same bytes again."""
        source = iter(items)
        while group := list(islice(source, BATCH)):
            yield from self._send_group(group)

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

    def inbox(self, *, after: int = 0, limit: int = 100, wait: int = 0) -> Iterator[VerifiedMessage]:
        """Messages that wait for this party, each proven. One that proves nothing is raised after the good ones."""
        answer = self._get("/v1/inbox", {"after": after, "limit": limit, "wait": wait}, extra=wait)
        trouble: XianjieError | None = None
        for line in answer.split(b"\n"):
            if not line.strip():
                continue
            try:
                yield verify(line.strip(), self._keyring, recipient=self._key.party_id, now=self._clock())
            except XianjieError as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble

    def referral(self, referral_id: str) -> dict[str, Any]:
        """The fate of one referral of this court."""
        found: dict[str, Any] = json.loads(self._get(f"/v1/referrals/{referral_id}", {}))
        return found

    def balance(self, from_: date | None = None, to: date | None = None) -> dict[str, Any]:
        """The balance by month of acceptance."""
        days = {"from": from_, "to": to}
        asked = {name: day.isoformat() for name, day in days.items() if day is not None}
        found: dict[str, Any] = json.loads(self._get("/v1/balance", asked))
        return found

    def _send_group(self, group: Sequence[Outgoing]) -> Iterator[Sent | Refused]:
        entries = self._journal.prepare(self._key.party_id, self._gateway, group, self._write)
        open_ = [entry for entry in entries if entry.state != ACCEPTED]
        endings, problems = self._post(open_) if open_ else ({}, {})
        for item, entry in zip(group, entries, strict=True):
            if entry.state == ACCEPTED:
                yield _changed(item) if entry.changed else _sent(item, entry, replayed=True)
            elif entry.message_id in problems:
                yield _refused(item, problems[entry.message_id])
            elif entry.message_id in endings:
                yield _changed(item) if entry.changed else _ended(item, entry, endings[entry.message_id])
            else:
                raise PartnerUnreachable(ids={"message_id": entry.message_id})

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

    def _post(self, entries: Sequence[Entry]) -> tuple[dict[str, Ending], dict[str, dict[str, Any]]]:
        """Receipts and refusals by message id; what the gateway did not answer is in neither."""
        endings: dict[str, Ending] = {}
        problems: dict[str, dict[str, Any]] = {}
        unique = {entry.message_id: entry for entry in entries}
        try:
            lines = self._post_lines([entry.jws for entry in unique.values()])
            for entry, line in zip(unique.values(), lines, strict=False):
                if line.startswith(b"{"):
                    problem = json.loads(line)
                    if not problem.get("retryable"):
                        problems[entry.message_id] = problem
                else:
                    endings[entry.message_id] = self._prove(entry, line)
        finally:
            refused = [Ending(message_id=message_id, receipt=None) for message_id in problems]
            self._journal.settle([*endings.values(), *refused])
        return endings, problems

    def _prove(self, entry: Entry, line: bytes) -> Ending:
        """Law 4: a receipt that does not name our id and digest is none."""
        receipt = read(line, self._keyring, recipient=self._key.party_id, issuer=self._gateway, now=self._clock())
        require_answer(receipt, message_id=entry.message_id, message_digest=digest(entry.jws))
        return Ending(message_id=entry.message_id, receipt=receipt.jws, warnings=receipt.warnings, holds=receipt.holds)

    def _post_lines(self, messages: Sequence[str]) -> Iterator[bytes]:
        """The answer's lines as they come; ends early when the connection does."""
        body = "\n".join(messages).encode()
        try:
            response = self._session().post(
                f"{self._url}/v1/messages/batch",
                data=body,
                headers={"Content-Type": NDJSON},
                timeout=self._timeout,
                allow_redirects=False,
                verify=self._verify_tls,
                stream=True,
            )
        except requests.RequestException as error:
            raise PartnerUnreachable(type(error).__name__) from error
        with response:
            if response.status_code != requests.codes.ok:
                raise _unusable(response)
            yield from _lines_of(response)

    def _get(self, path: str, query: Mapping[str, Any], *, extra: float = 0) -> bytes:
        url, now = self._url + path, self._clock()
        proof = token.issue(self._key, audience=self._gateway, method="GET", url=url, now=now, jti=new_id(now))
        try:
            response = self._session().get(
                url,
                params=dict(query),
                headers={"Authorization": f"Bearer {proof}"},
                timeout=self._timeout + extra,
                allow_redirects=False,
                verify=self._verify_tls,
            )
        except requests.RequestException as error:
            raise PartnerUnreachable(type(error).__name__) from error
        if response.status_code != requests.codes.ok:
            raise _unusable(response)
        return response.content

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            self._mine.session = session
        return session


def _lines_of(response: requests.Response) -> Iterator[bytes]:
    """Whole lines as they arrive; a connection that is cut ends them, and what had come counts."""
    kept = b""
    try:
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            *whole, kept = (kept + chunk).split(b"\n")
            yield from (line for line in whole if line)
            if len(kept) > MAX_ANSWER:
                return
    except (HTTPError, OSError):
        return
    if kept:
        yield kept


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


def _as_error(refused: Refused) -> MessageError:
    error = MessageError(refused.code, ids={"effect": refused.effect})
    error.title, error.next_step = (refused.title, ""), (refused.next_step, "")  # type: ignore[misc]
    return error


def _unusable(response: requests.Response) -> XianjieError:
    """What a whole request was answered with: try later, or mend the configuration."""
    if response.status_code >= 500 or response.status_code == 429:
        return PartnerUnreachable(f"http_{response.status_code}")
    if 300 <= response.status_code < 400:
        return ConfigError(f"the gateway's address redirects (http_{response.status_code}); give its real one")
    try:
        code = str(json.loads(response.content[:MAX_ANSWER]).get("code", ""))
    except (ValueError, AttributeError):
        code = ""
    return ConfigError(f"the gateway answered http_{response.status_code} {code}".rstrip())
