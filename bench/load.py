"""负载 A load generator that costs little: signed messages from a file, so many keep-alive connections, one thread.

Closed loop: each connection sends its next message when it has the whole answer. Run as a process of its own:
`python -m bench.load PORT PATH MESSAGES CONNECTIONS SECONDS ANSWERS`; it prints one JSON object when it is done. The
answers' file gets one line an answer (index, status, body), so that a crash of the server loses no evidence.
"""

import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(kw_only=True)
class _Connection:
    sock: socket.socket
    at: int = -1
    sent: float = 0.0
    kept: bytearray = field(default_factory=bytearray)


@dataclass(kw_only=True)
class _Run:
    path: str
    messages: list[bytes]
    until: float
    answers: list[tuple[int, int, bytes]] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    broken: int = 0
    next_at: int = 0

    def send(self, connection: _Connection) -> bool:
        """The next message; False when there is none or time is up."""
        if self.next_at >= len(self.messages) or time.perf_counter() >= self.until:
            return False
        connection.at, self.next_at = self.next_at, self.next_at + 1
        body = self.messages[connection.at]
        head = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/jose\r\n"
        connection.sent = time.perf_counter()
        connection.sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return True

    def receive(self, connection: _Connection) -> bool:
        """Reads what came; True when the answer is whole."""
        chunk = connection.sock.recv(65536)
        if not chunk:
            raise ConnectionError("closed")
        kept = connection.kept
        kept += chunk
        end = kept.find(b"\r\n\r\n")
        if end < 0:
            return False
        length = _length(bytes(kept[:end]).lower())
        if len(kept) < end + 4 + length:
            return False
        self.latencies.append(time.perf_counter() - connection.sent)
        self.answers.append((connection.at, int(kept[9:12]), bytes(kept[end + 4 : end + 4 + length])))
        del kept[: end + 4 + length]
        return True


def _length(head: bytes) -> int:
    return int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])


def drive(port: int, path: str, messages: list[bytes], connections: int, seconds: float) -> _Run:
    """Sends until the messages or the seconds are used up, or every connection is broken."""
    selector = selectors.DefaultSelector()
    run = _Run(path=path, messages=messages, until=time.perf_counter() + seconds)
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(sock=sock)
        if run.send(connection):
            selector.register(sock, selectors.EVENT_READ, connection)
        else:
            sock.close()
    while selector.get_map():
        for key, _ in selector.select(timeout=30) or _stuck():
            connection = key.data
            try:
                if not run.receive(connection) or run.send(connection):
                    continue
            except OSError:
                run.broken += 1
            selector.unregister(connection.sock)
            connection.sock.close()
    return run


def _stuck() -> list[Any]:
    raise TimeoutError("no answer for 30 seconds")


def percentile(values: list[float], share: float) -> float:
    """The value below which this share lies; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def main(arguments: list[str]) -> int:
    """See the module."""
    port, path, file, connections, seconds, answers = arguments
    messages = Path(file).read_bytes().split(b"\n")
    began, cpu = time.perf_counter(), time.process_time()
    run = drive(int(port), path, messages, int(connections), float(seconds))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    Path(answers).write_bytes(b"".join(b"%d %d %s\n" % answer for answer in run.answers))
    statuses: dict[int, int] = {}
    for _, status, _ in run.answers:
        statuses[status] = statuses.get(status, 0) + 1
    found = {
        "answered": len(run.answers),
        "sent": run.next_at,
        "broken": run.broken,
        "seconds": took,
        "cpu_seconds": cpu,
        "p50_ms": percentile(run.latencies, 0.50) * 1000,
        "p99_ms": percentile(run.latencies, 0.99) * 1000,
        "statuses": statuses,
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
