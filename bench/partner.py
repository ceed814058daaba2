"""伙伴 A lean civil affairs in its own process: takes handoffs, signs receipts, answers each need APPROVED and PAID.

It proves every signature it is sent and checks nothing else: it is there to keep the gateway busy, not to be measured.
A handoff is answered by one message that holds both results, many messages a request to the batch entrance; what gets
no receipt is sent again with the same bytes. `python -m bench.partner FOLDER GATEWAY_URL PORT [SILENT_EVERY]`;
GET / tells what it saw: a need handed over in two messages is `doubled`.
"""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from waitress.server import create_server  # type: ignore[import-untyped]

from gateway.cli.demo_world import BEGINNING, GATEWAY, party_of
from gateway.domain.agreement import PartyKind
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.compact import decode_segment, split
from gateway.envelope.keyring import Keyring, PublicKey, SigningKey
from gateway.envelope.message import digest, new_id
from gateway.envelope.signing import MESSAGE_TYP, RECEIPT_TYP, prove, sign
from gateway.envelope.webhook import verify_headers
from schemas.fields import format_moment

PARTY = party_of("civil_affairs")
BATCH = 256
PAUSE = 0.02


@dataclass
class Partner:
    """Everything the process knows."""

    key: SigningKey
    keyring: Keyring
    offset: timedelta
    gateway: str
    silent_every: int = 0
    receipts: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    messages_of: dict[str, set[str]] = field(default_factory=dict)
    outgoing: "queue.Queue[bytes]" = field(default_factory=queue.Queue)
    lock: threading.Lock = field(default_factory=threading.Lock)
    acknowledged: int = 0
    refused: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        """The installation's shifted time."""
        return datetime.now(UTC) + self.offset

    def take(self, raw: bytes) -> bytes:
        """One handoff proven; its receipt, the same for the same bytes."""
        now, parts = self.now(), split(raw)
        prove(parts, self.keyring, typ=MESSAGE_TYP, now=now)
        payload = json.loads(decode_segment(parts.payload_segment))
        message_id, named = payload["id"], digest(raw)
        with self.lock:
            before = self.receipts.get(message_id)
        if before is not None:
            return before[1] if before[0] == named else b"{}"
        receipt = self._receipt(payload, named, now)
        with self.lock:
            self.receipts[message_id] = (named, receipt)
            for item in payload["data"]["xj_items"]:
                self.messages_of.setdefault(item["xj_need"], set()).add(message_id)
            is_silent = self.silent_every and len(self.receipts) % self.silent_every == 0
        if not is_silent:
            self.outgoing.put(self._reply(payload, named, now))
        return receipt

    def _receipt(self, payload: dict[str, Any], named: str, now: datetime) -> bytes:
        data = {"rung": "relay", "verdict": "accepted", "at": format_moment(now)}
        return self._sign(RECEIPT_TYP, "receipt.relay", payload, named, now, data)

    def _reply(self, payload: dict[str, Any], named: str, now: datetime) -> bytes:
        body, at = payload["data"], format_moment(now)
        months = {"abaf0028": "202409", "abaf0029": "202508"}
        results = []
        for item in body["xj_items"]:
            need = {"xj_need": item["xj_need"], "xj_at": at, "xj_amount": "650.00"}
            results.append({**need, "xj_status": "30", **months})
            results.append({**need, "xj_status": "40", "xj_payee": "1", "abaf0028": "202409", "abaf0029": "202409"})
        data = {"xj_handoff": body["xj_handoff"], "xj_results": results}
        return self._sign(MESSAGE_TYP, "handoff.outcome", payload, named, now, data)

    def _sign(self, typ: str, type_: str, payload: dict[str, Any], named: str, now: datetime, data: Any) -> bytes:
        members = {
            "specversion": "1.0",
            "id": new_id(now),
            "source": PARTY,
            "type": type_,
            "time": format_moment(now),
            "recipient": GATEWAY,
            "subject": payload["subject"],
            "in_reply_to": payload["id"],
            "in_reply_to_digest": named,
            "datacontenttype": "application/json",
            "data": data,
        }
        return sign(json.dumps(members, ensure_ascii=False).encode(), self.key, typ).encode()

    def reply_for_ever(self) -> None:
        """Posts what waits, a batch a request."""
        session = requests.Session()
        waiting: list[bytes] = []
        while True:
            try:
                waiting.append(self.outgoing.get(timeout=0 if waiting else 1))
                if len(waiting) < BATCH:
                    continue
            except queue.Empty:
                if not waiting:
                    continue
            try:
                waiting = self._post(session, waiting)
            except requests.RequestException:
                session = requests.Session()
                time.sleep(0.2)
            time.sleep(PAUSE)

    def _post(self, session: requests.Session, waiting: list[bytes]) -> list[bytes]:
        """Those that have to be sent again."""
        headers = {"Content-Type": "application/x-ndjson"}
        answer = session.post(f"{self.gateway}/v1/messages/batch", b"\n".join(waiting), headers=headers, timeout=60)
        lines = answer.content.splitlines()
        again = waiting[len(lines) :]
        for message, line in zip(waiting, lines, strict=False):
            if not line.startswith(b"{"):
                self.acknowledged += 1
            elif (problem := json.loads(line)).get("retryable"):
                again.append(message)
            else:
                self.refused.append(problem["code"])
        return again

    def seen(self) -> dict[str, Any]:
        """What a measurement asks for."""
        with self.lock:
            doubled = sum(len(messages) > 1 for messages in self.messages_of.values())
            return {
                "handoffs": len(self.receipts),
                "needs": len(self.messages_of),
                "doubled": doubled,
                "acknowledged": self.acknowledged,
                "waiting": self.outgoing.qsize(),
                "refused": self.refused[:10],
                "cpu_seconds": time.process_time(),
            }

    def serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI: the push address, and what was seen."""
        if environ["REQUEST_METHOD"] == "GET":
            return _answer(start_response, "application/json", json.dumps(self.seen()).encode())
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        received = {name: environ.get(f"HTTP_{name.upper().replace('-', '_')}", "") for name in names}
        verify_headers(received, body, self.keyring, party_id=GATEWAY, now=self.now())
        content_type = environ["CONTENT_TYPE"]
        return _answer(start_response, content_type, b"\n".join(self.take(line) for line in body.split(b"\n")))


def _answer(start_response: Callable[..., Any], content_type: str, body: bytes) -> list[bytes]:
    start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]


def _keyring(folder: Path) -> Keyring:
    keys = json.loads((folder / "gateway-keys.json").read_text())["keys"]
    jwk = {name: keys[0][name] for name in ("kty", "crv", "x")}
    public = PublicKey(
        kid=keys[0]["kid"],
        party_id=GATEWAY,
        alg=Algorithm.ED25519,
        jwk=jwk,
        not_before=BEGINNING - timedelta(days=1),
    )
    return Keyring([public], {GATEWAY: PartyKind.GATEWAY.value})


def main(arguments: list[str]) -> int:
    """See the module."""
    folder, gateway, port = Path(arguments[0]), arguments[1], int(arguments[2])
    partner = Partner(
        key=SigningKey.load_pem((folder / "partners" / f"{PARTY.replace('/', '_')}.pem").read_bytes(), PARTY),
        keyring=_keyring(folder),
        offset=timedelta(seconds=float(os.environ["XIANJIE_CLOCK_OFFSET_SECONDS"])),
        gateway=gateway,
        silent_every=int(arguments[3]) if len(arguments) > 3 else 0,
    )
    threading.Thread(target=partner.reply_for_ever, daemon=True).start()
    server = create_server(partner.serve, host="127.0.0.1", port=port, threads=8, ident=None)
    sys.stdout.write(json.dumps({"address": f"http://127.0.0.1:{port}"}) + "\n")
    sys.stdout.flush()
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
