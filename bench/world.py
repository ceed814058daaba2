"""基准环境 What every measurement runs against: a whole installation, its courts' signed referrals, its processes.

The gateway is the shipped command in a process of its own; one office a prefecture of civil affairs is reached at one
partner's address. Messages are signed before any clock starts. People are synthetic (529999), each used once.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from random import sample
from typing import Any

from gateway.app import build_context
from gateway.cli.demo_world import GATEWAY, DemoWorld, make_world, party_of
from gateway.cli.processes import Processes, processes
from gateway.domain.agreement import Channel, Office
from gateway.domain.rules import read_table
from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.sandbox.people import resident_id
from gateway.sandbox.province import AGREEMENT, courts
from gateway.store import directory
from gateway.store import tables as t
from gateway.store.engine import open_engine

AGENCY = "civil_affairs"
BIRTHS_FROM, A_DAY = date(1966, 1, 1), 1000
COUNTIES = ("520102", "520203", "520302", "520402", "520502", "520602", "522301", "522601", "522701")
CONCLUDED = date(2024, 7, 26)


@dataclass(kw_only=True)
class Bench:
    """An installation under measurement."""

    world: DemoWorld
    port: int
    partner_port: int
    numbers: Iterator[int] = field(default_factory=count)
    starts: Iterator[int] = field(default_factory=count)

    @property
    def database(self) -> str:
        """Its URL."""
        return self.world.config.database

    @property
    def url(self) -> str:
        """Where the gateway listens whenever it runs."""
        return f"http://127.0.0.1:{self.port}"

    def referrals(self, amount: int) -> list[bytes]:
        """Signed `referral.submitted`, each of another person and case; courts take turns."""
        known = [(court, self.world.key(court.party_id)) for court in courts()]
        signed = []
        for number in (next(self.numbers) for _ in range(amount)):
            court, key = known[number % len(known)]
            now = self.world.clock()
            envelope = Envelope(
                id=new_id(now),
                source=court.party_id,
                type="referral.submitted",
                time=now,
                recipient=GATEWAY,
                purpose="social_assistance",
                data=referral_body(number, new_id(now), court.prefix),
            )
            signed.append(sign(envelope.to_payload(), key, MESSAGE_TYP).encode())
        return signed

    @contextmanager
    def gateway(self, *, work: bool, apart: bool = False, killed: bool = False) -> Iterator[dict[str, Any]]:
        """`xianjie serve` while the block runs: its address and pid. apart: `xianjie work` is a process of its own;
        killed: its leases are left to run out."""
        arguments = ["serve", "--port", str(self.port), "--work" if work and not apart else "--no-work"]
        with processes(self.world.folder) as running:
            serving = start(running, f"gateway-{next(self.starts)}", "gateway.cli", arguments, self.world)
            if apart:
                start(running, f"worker-{next(self.starts)}", "gateway.cli", ["work"], self.world)
            yield serving
        if not killed:
            self._forget_leases()

    def _forget_leases(self) -> None:
        """The jobs' leases of a gateway that is gone: waiting for their end is not what is measured next."""
        engine = open_engine(self.database)
        with engine.begin() as connection:
            connection.execute(t.leases.delete())
        engine.dispose()

    @contextmanager
    def partner(self, *options: str) -> Iterator[dict[str, Any]]:
        """The agency's server while the block runs."""
        arguments = [str(self.world.folder), self.url, str(self.partner_port), *options]
        with processes(self.world.folder) as running:
            yield start(running, f"partner-{next(self.starts)}", "bench.partner", arguments, self.world)


def start(running: Processes, name: str, module: str, arguments: Sequence[str], world: DemoWorld) -> dict[str, Any]:
    """One child process; its log lies in the installation's folder."""
    return running.start(name, module, arguments, {**world.environment, "PYTHONPATH": "."})


def open_bench(folder: Path, database: str, *, batch: int) -> Bench:
    """A new installation whose offices of civil affairs are pushed to, `batch` messages a request."""
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(world=make_world(folder, database), port=free_port(), partner_port=free_port())
    context = build_context(bench.world.config)
    try:
        for row in read_table("regions"):
            if row["parent"] == "520000" and not row["replaced_by"]:
                office = Office(
                    office_id=f"{AGENCY}-{row['code']}",
                    party_id=party_of(AGENCY),
                    agency=AGENCY,
                    region=row["code"],
                    channel=Channel.PUSH,
                    url=f"http://127.0.0.1:{bench.partner_port}/messages",
                    batch=batch,
                    name_zh="基准单位",
                )
                context.store.write(partial(directory.put_office, office=office, now=datetime.now(UTC)))
    finally:
        context.store.close()
    return bench


def free_port() -> int:
    """A port nobody listens on, below those the system gives to connections that go out."""
    for port in sample(range(18_000, 30_000), 100):
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


def referral_body(number: int, referral_id: str, prefix: str) -> dict[str, Any]:
    """The `data` of a referral as a court fills it in; the number makes person, case and county its own."""
    days, serial = divmod(number, A_DAY)
    birth = BIRTHS_FROM + timedelta(days=days)
    county = COUNTIES[number % len(COUNTIES)]
    return {
        "referral_id": referral_id,
        "agreement_document": AGREEMENT,
        "recipient_region": county,
        "case_number": f"（2024）{prefix}司救刑{number + 1}号",
        "original_case_group": f"（2023）{prefix}刑初{number + 1}号",
        "concluded_on": CONCLUDED.isoformat(),
        "decision": "ASSIST",
        "decided_amount_fen": 2_000_000,
        "paid_at": CONCLUDED.isoformat(),
        "ground_code": "G1",
        "assessment": "REFER",
        "person": {
            "name": f"测试{number}",
            "id_type": "111",
            "id_number": resident_id(birth, serial),
            "sex": "1" if serial % 2 else "2",
            "birth_date": birth.isoformat(),
            "phone": "13900000000",
            "ethnic_group": "汉族",
            "household_registration_region": county,
            "residence": "贵州省贵阳市南明区测试路1号2单元3室",
        },
        "needs": [{"programme": "MLG", "note": "本人无固定收入,家中无其他劳动力,靠亲友接济。"}],
        "urgency": "NORMAL",
        "survey": {
            "mode": "ON_SITE",
            "date": "2024-07-20",
            "investigators": ["测试法官", "测试书记员"],
            "summary": "入户核实,家庭人均收入低于当地低保标准,无商品房和机动车,现金存款不足两千元。",
        },
        "verification_authorization": {"ref": f"SQ-{number}", "signed_at": "2024-07-20", "scope": "家庭经济状况核对"},
        "legal_basis": "STATUTORY_DUTY",
        "notice_given_at": CONCLUDED.isoformat(),
        "contact": {"name": "测试法官", "phone": "0851-00000000"},
    }


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> tuple[float, float]:
    """(resident now, highest ever) in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {line.partition(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return int(found["VmRSS"]) / 1024, int(found["VmHWM"]) / 1024
