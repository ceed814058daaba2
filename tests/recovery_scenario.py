"""恢复场景 One seeded run over a restored older copy: what the parties' journals say afterwards.

1. courts refer, amend, withdraw, offices are handed to and answer, in an order the seed decides; some answers are lost;
2. somewhere on the way a copy is made, and later put back: all that was done in between is lost to the gateway;
3. parties knock at the gateway that recovers, then give back, in any order, some twice, some by file; it resumes;
4. all go on until nothing moves, every message is sent once more, and the judge reads the journals.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from gateway.client.recovery import line_of, statement_of
from gateway.envelope.compact import decode_segment, split
from gateway.errors import XianjieError
from gateway.flows import account, mailbox
from gateway.flows.accept import accept
from gateway.flows.deliver import Courier, deliver
from gateway.flows.dispatch import dispatch
from gateway.flows.recovery.taking import holding, take
from gateway.flows.recovery.values import Placed
from gateway.store import outbox, undelivered
from gateway.transport.answer import Answer
from tests.builders import an_id_number
from tests.faults.judge import Counts, judge
from tests.faults.parties import Agency, Court, Lost, Party, Sending, problem
from tests.gateway_world import CIVIL_AFFAIRS, COURT, DISABLED_PERSONS, GATEWAY, NEIGHBOUR, WOMENS_FEDERATION
from tests.gateway_world import a_referral_body as a_body
from tests.recovery_world import KeepingWorld

STEPS = 70
ROUNDS = 40
LOSSES = 0.1
"""Share of answers that never arrive, though the gateway has accepted the message."""
PROGRAMMES = {CIVIL_AFFAIRS: "MLG", DISABLED_PERSONS: "ASD", WOMENS_FEDERATION: "PSY"}
PLANS: dict[str, tuple[tuple[str, ...], ...]] = {
    CIVIL_AFFAIRS: (("delivered", "ACCEPTED", "PAID"), ("delivered", "DENIED"), ("ACCEPTED",), ("APPROVED", "PAID")),
    DISABLED_PERSONS: (("delivered", "SERVICE_DELIVERED"), ("DENIED",), ("ACCEPTED",)),
    WOMENS_FEDERATION: (("retrieved", "SERVICE_DELIVERED"), ("retrieved",), ("DENIED",)),
}


def restore_scenario(url: str, seed: int) -> Counts:
    """Jepsen's four counts of one run. url: a migrated database without a row."""
    with TemporaryDirectory() as folder:
        world = KeepingWorld(url, Path(folder))
        try:
            return _Scenario(world, seed).run()
        finally:
            world.close()


class _Scenario:
    def __init__(self, world: KeepingWorld, seed: int) -> None:
        self.world, self.random, self.number, self.losses = world, Random(seed), 0, LOSSES
        self.courts = {name: self._court(name) for name in (COURT, NEIGHBOUR)}
        self.agencies = {office_id: self._agency(office_id) for office_id in PROGRAMMES}
        self.plans: dict[str, list[str]] = {}

    def _court(self, party_id: str) -> Court:
        key, keyring = self.world.partners[party_id].key, self.world.keyring
        return Court(party_id=party_id, key=key, keyring=keyring, clock=lambda: self.world.now)

    def _agency(self, office_id: str) -> Agency:
        partner = self.world.offices[office_id].partner
        return Agency(
            party_id=partner.party_id,
            key=partner.key,
            keyring=self.world.keyring,
            clock=lambda: self.world.now,
            agency=office_id.rpartition("-")[0],
            office_id=office_id,
            plans=lambda referral_id: list(self.plans[referral_id]),
        )

    # --- the run ---

    def run(self) -> Counts:
        copy_at, lose_at = sorted(self.random.sample(range(STEPS), 2))
        copy = None
        for step in range(STEPS):
            if step == copy_at:
                copy = self.world.copy()
            if step == lose_at:
                break
            self._step()
        assert copy is not None
        self.world.sign_log()
        self.world.wait(timedelta(minutes=1))
        found = self.world.restore(copy)
        placed = self._recover() if found is not None else Placed()
        for _ in range(STEPS - lose_at):
            self._step()
        self._quiesce()
        self._repeat_all()
        self._read_fates()
        self._require_versions()
        counts = judge(self.courts.values(), self.agencies.values())
        counts.recovered += placed.received + placed.issued + placed.proven
        return counts

    def _step(self) -> None:
        self.world.wait(timedelta(seconds=self.random.randint(1, 20)))
        random = self.random
        work: Callable[[], object] = random.choices(
            (
                self._refer,
                self._amend,
                self._withdraw,
                self._dispatch,
                self._deliver,
                self._fetch,
                self._say,
                self._sign,
            ),
            (20, 6, 4, 18, 24, 8, 24, 6),
        )[0]
        work()

    def _refer(self) -> None:
        self.number += 1
        referral_id = f"r-{self.number}"
        court = self.courts[self.random.choice((COURT, NEIGHBOUR))]
        office_id = self.random.choice(list(PROGRAMMES))
        programme = PROGRAMMES[office_id]
        self.plans[referral_id] = list(self.random.choice(PLANS[office_id]))
        body = a_body(
            referral_id=referral_id,
            case_number=f"（2026）黔01司救执{self.number}号",
            original_case_group=f"（2025）黔0102民初{self.number}号",
            person=a_body()["person"] | {"id_number": an_id_number(serial=self.number)},
            needs=[{"programme": programme}],
        )
        court.asked[referral_id] = (programme,)
        self._send(court, court.write("referral.submitted", referral_id, body))

    def _withdraw(self) -> None:
        court = self.random.choice(list(self.courts.values()))
        open_ = [one for one in court.asked if one not in court.withdrawn]
        if open_:
            referral_id = self.random.choice(open_)
            body = {"referral_id": referral_id, "reason": "报送有误"}
            sending = court.write("referral.withdrawn", referral_id, body)
            court.withdrawn[referral_id] = sending
            self._send(court, sending)

    def _amend(self) -> None:
        """A court amends the last version it has a receipt for."""
        court = self.random.choice(list(self.courts.values()))
        versions = [(one, self._versions(court, one)) for one in court.asked if one not in court.withdrawn]
        found = [(referral_id, known) for referral_id, known in versions if known]
        if found:
            referral_id, known = self.random.choice(found)
            body = json.loads(decode_segment(split(known[-1].raw).payload_segment))["data"]
            changed = {
                "amends": known[-1].message_id,
                "amendment_reason": "登记有误",
                "custody": f"第{len(known) + 1}版",
            }
            self._send(court, court.write("referral.amended", referral_id, body | changed))

    def _versions(self, court: Court, referral_id: str) -> list[Sending]:
        """What the court has receipts for, in order."""
        mine = [one for one in court.sendings if one.about == referral_id and one.receipt is not None]
        return [one for one in mine if one.kind in ("referral.submitted", "referral.amended")]

    def _require_versions(self) -> None:
        """Whatever was accepted is on file, in order, and the newest is what an office would be handed."""
        for court in self.courts.values():
            for referral_id in court.asked:
                told = [one.message_id for one in self._versions(court, referral_id)]
                fate = account.fate(self.world.context, referral_id, court=court.party_id, now=self.world.now)
                assert [one.message_id for one in fate.versions] == told, referral_id

    def _dispatch(self) -> None:
        dispatch(self.world.context, now=self.world.now)

    def _deliver(self) -> None:
        for office_id in self._lanes():
            deliver(self.world.context, office_id, self._courier())

    def _lanes(self) -> list[str]:
        with self.world.store.reading() as connection:
            return outbox.lanes(connection, now=self.world.now)

    def _courier(self) -> Courier:
        def push(url: str, body: bytes, _type: str, _headers: object) -> Answer:
            office_id = url.removeprefix("https://").partition(".invalid")[0]
            status, answer = self.agencies[office_id].receive(body)
            if self.random.random() < self.losses:
                return Answer(status=502, body=b"")
            return Answer(status=status, body=answer)

        return Courier(push=push, owner="w", clock=lambda: self.world.now, jitter=lambda: 0.0)

    def _fetch(self) -> None:
        agency = self.agencies[WOMENS_FEDERATION]
        for _, wire in mailbox.pull(self.world.context, agency.party_id, after=0, limit=100):
            agency.receive(wire.encode())

    def _say(self) -> None:
        matters = [(agency, matter) for agency in self.agencies.values() for matter in agency.matters.values()]
        if matters:
            agency, matter = self.random.choice(matters)
            sending = agency.next_answer(matter)
            if sending is not None:
                self._send(agency, sending)

    def _sign(self) -> None:
        self.world.sign_log()

    def _send(self, party: Party, sending: Sending) -> None:
        party.send(sending, self._post)

    def _post(self, sending: Sending) -> tuple[int, bytes]:
        try:
            done = accept(sending.raw, self.world.context, now=self.world.now)
        except XianjieError as error:
            return error.status, problem(error)
        if self.random.random() < self.losses:
            raise Lost
        return (200 if done.replayed else 202), done.receipt.encode()

    # --- the recovery ---

    def _parties(self) -> list[Party]:
        found: list[Party] = [*self.courts.values(), *self.agencies.values()]
        self.random.shuffle(found)
        return found

    def _recover(self) -> Placed:
        for party in self._parties():  # whoever has something open tries, and is told to wait
            for sending in [one for one in party.sendings if one.is_open]:
                self._send(party, sending)
        for party in self._parties():
            by_file = self.random.random() < 0.3
            self._give_back(party, by_file=by_file)
            if self.random.random() < 0.3:
                self._give_back(party, by_file=not by_file)
        return self.world.resume().placed

    def _give_back(self, party: Party, *, by_file: bool) -> None:
        held = holding(self.world.context, party.party_id, now=self.world.now)
        sent_after, received_after = (0, 0) if by_file else (held.to_gateway, held.from_gateway)
        lines = [
            line_of(one.raw.decode(), one.receipt)
            for one in party.sendings
            if one.refusal is None and _seq(one.raw) > sent_after
        ]
        kept = list(party.kept.values()) if isinstance(party, Agency) else []
        is_mailbox = isinstance(party, Agency) and party.office_id == WOMENS_FEDERATION
        lines += [
            line_of(one.message.jws, None if is_mailbox else one.receipt)
            for one in kept
            if (one.message.envelope.seq or 0) > received_after
        ]
        self.random.shuffle(lines)
        sent = max((_seq(one.raw) for one in party.sendings if one.receipt is not None), default=0)
        told = statement_of(
            party.key,
            GATEWAY,
            sent=sent,
            open_numbers=[_seq(one.raw) for one in party.sendings if one.receipt is None],
            received=max((one.message.envelope.seq or 0 for one in kept), default=0),
            now=self.world.now,
        )
        lines.append(line_of(told, None))
        take(self.world.context, lines, giver=None if by_file else party.party_id, now=self.world.now)

    # --- the end ---

    def _quiesce(self) -> None:
        """Everything is healed, and everybody goes on until nothing moves."""
        self.losses = 0.0
        for _ in range(ROUNDS):
            self.world.wait(timedelta(hours=30))
            before = self._mark()
            for party in self._parties():
                for sending in [one for one in party.sendings if one.is_open]:
                    self._send(party, sending)
            self._dispatch()
            self._deliver()
            self._fetch()
            for agency in self.agencies.values():
                for matter in agency.matters.values():
                    sending = agency.next_answer(matter)
                    if sending is not None:
                        self._send(agency, sending)
            if self._mark() == before and not self._lanes():
                return

    def _mark(self) -> tuple[object, ...]:
        sendings = [one for party in self._parties() for one in party.sendings]
        agencies = self.agencies.values()
        plans = [len(matter.plan) for agency in agencies for matter in agency.matters.values()]
        with self.world.store.reading() as connection:
            stuck = len(undelivered.listed(connection))
        return (
            len(sendings),
            sum(one.is_open for one in sendings),
            sum(plans),
            sum(len(agency.kept) for agency in agencies),
            len(self._lanes()),
            stuck,
        )

    def _repeat_all(self) -> None:
        """A repeat gets the very first receipt: another one counts as unexpected."""
        for party in self._parties():
            for sending in party.sendings:
                if sending.receipt is not None:
                    self._send(party, sending)

    def _read_fates(self) -> None:
        for court in self.courts.values():
            for referral_id in court.asked:
                try:
                    found = account.fate(self.world.context, referral_id, court=court.party_id, now=self.world.now)
                except XianjieError:
                    continue
                court.told[referral_id] = {need.need_id: need.state.value for need in found.needs}


def _seq(raw: bytes) -> int:
    found: dict[str, Any] = json.loads(decode_segment(split(raw).payload_segment))
    return int(found["seq"])
