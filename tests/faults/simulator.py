"""模拟 One seeded run of the real flows: from a court's push to the final answer it can read, through faults.

1. `Schedule.draw(seed)` says who asks for what and what goes wrong;
2. events run in the order of a clock that is only a number: courts send, workers dispatch and deliver, agencies answer;
   a crash unwinds the process it strikes and takes what it remembered; a pause lets the others go on meanwhile;
3. then everything is healed, and all go on until nothing moves (`quiesce`);
4. the judge reads the parties' journals.
Flows and store are arguments, so that a test may pass a broken one and see the counts move.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from gateway import failpoints
from gateway.errors import XianjieError
from gateway.failpoints import SimulatedCrash
from gateway.flows import account, mailbox, operate, reconcile
from gateway.flows.deliver import Courier
from gateway.transport.answer import Answer
from tests.faults.judge import judge
from tests.faults.network import Network, message_id_of
from tests.faults.nodes import COURTS, Ground, Node, is_mailbox
from tests.faults.parties import Agency, Court, Lost, Matter, Party, Post, Sending
from tests.faults.schedule import INSIDE, Asked, Leg, Schedule
from tests.faults.values import REAL, Flows, Outcome, answer_of, body_of, known_of
from tests.gateway_world import START

NODES = ("web", "worker-1", "worker-2")
TRIES = 3
"""How often a party tries by itself before everything is healed."""
DAY_S = 26 * 3600.0
"""Later than every rung of the retry ladder but the last."""
ROUNDS, TURNS = 12, 20
LEASE_S = 61.0
RETRY_S = 5.5


class Simulation:
    """One run."""

    def __init__(self, schedule: Schedule, ground: Ground, flows: Flows = REAL, *, traced: bool = False) -> None:
        self.schedule, self.ground, self.flows = schedule, ground, flows
        self.random = Random(schedule.seed + 1)
        self.seconds = 0.0
        self.skew: defaultdict[str, float] = defaultdict(float)
        self.met: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self.trace: list[str] | None = [] if traced else None
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = iter(range(10**9))
        self._failures, self._pauses = dict(schedule.failures), dict(schedule.pauses)
        self._running: list[str] = []
        self._relayed: dict[str, int] = {}
        self._after_relay: list[str] = []
        self._by_operator: set[str] = set()
        ground.fresh(sealed=schedule.sealed)
        self.nodes = {name: Node(name, ground, self._clock(name, "gateway")) for name in NODES}
        self.courts = {name: self._court(name) for name in COURTS}
        self.agencies = {office_id: self._agency(office_id) for office_id in ground.offices}
        self.network = Network(
            serve=self._serve,
            agencies=self.agencies,
            random=self.random,
            mischief=dict(schedule.mischief),
            later=self.later,
            stall=lambda: self._meanwhile(LEASE_S),
            met=self._meet,
        )

    # --- the world ---

    def _clock(self, *names: str) -> Callable[[], datetime]:
        return lambda: START + timedelta(seconds=self.seconds + sum(self.skew[name] for name in names))

    def _court(self, party_id: str) -> Court:
        key = self.ground.keys[party_id]
        return Court(party_id=party_id, key=key, keyring=self.ground.keyring, clock=self._clock("courts"))

    def _agency(self, office_id: str) -> Agency:
        office = self.ground.offices[office_id]
        agency = Agency(
            party_id=office.party_id,
            key=self.ground.keys[office.party_id],
            keyring=self.ground.keyring,
            clock=self._clock("agencies"),
            agency=office.agency,
            office_id=office_id,
            plans=self._plan_of,
        )
        agency.opened = lambda matter: self.later(self._slowness(), lambda: self._say(agency, matter))
        return agency

    def _slowness(self) -> float:
        """How long an office takes to answer: seconds, or longer than the first retries."""
        return self.random.uniform(0.1, 2) if self.random.random() < 0.6 else self.random.uniform(5, 200)

    def _plan_of(self, referral_id: str) -> list[str]:
        number = int(referral_id.removeprefix("r-")) if referral_id.startswith("r-") else 0
        return list(self.schedule.asked[number].plan)

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        """Does something in so many seconds."""
        heapq.heappush(self._events, (self.seconds + seconds, next(self._numbers), what))

    def note(self, *words: object) -> None:
        """One line of the trace."""
        if self.trace is not None:
            self.trace.append(f"{self.seconds:10.3f} " + " ".join(str(word) for word in words))

    def _meet(self, what: str) -> None:
        self.met[what] += 1
        self.note("!!", what)

    # --- the run ---

    def run(self) -> Outcome:
        """Everything, and the verdict."""
        for asked_at, asked in enumerate(self.schedule.asked):
            self.later(asked.at, partial(self._refer, asked_at, asked))
        for step in self.schedule.steps:
            self.later(step.at, partial(self._set_clock, step.who, step.seconds))
        failpoints.arm(self._reach)
        try:
            self._run_events()
            self._quiesce()
        finally:
            failpoints.disarm()
        self._read_fates()
        doubtful = self.network.doubtful
        counts = judge(self.courts.values(), self.agencies.values(), self._after_relay, doubtful)
        return Outcome(seed=self.schedule.seed, counts=counts, met=self.met, trace=tuple(self.trace or ()))

    def _run_events(self) -> None:
        while self._events:
            at, _, what = heapq.heappop(self._events)
            self.seconds = max(self.seconds, at)
            what()

    def _set_clock(self, who: str, seconds: float) -> None:
        self.skew[who] += seconds
        self._meet(f"clock:{who}")

    def _reach(self, name: str) -> None:
        """A failpoint: crash, error or pause, when the schedule says so."""
        self.hits[name] += 1
        place = (name, self.hits[name])
        action = self._failures.pop(place, None)
        if action is not None:
            self._meet(f"{action.value}:{name}")
            failpoints.OneFailure(point=name, count=1, action=action)(name)
        if name not in INSIDE and (seconds := self._pauses.pop(place, None)) is not None:
            self._meet(f"pause:{name}")
            self._meanwhile(seconds)

    def _meanwhile(self, seconds: float) -> None:
        """The process that runs stops for so long; the other worker does all it can."""
        if len(self._running) > 1:
            return
        self.seconds += seconds
        busy = self._running[-1] if self._running else ""
        self._tick("worker-2" if busy == "worker-1" else "worker-1")

    # --- the gateway ---

    def _in(self, name: str, work: Callable[[], Any]) -> Any:
        """Runs work in a process; None when the process crashed at it."""
        self._running.append(name)
        try:
            return work()
        except SimulatedCrash as crash:
            self.note(name, "crashed at", crash)
            self.nodes[name].restart()
            if name != "web":
                self._tick_later(self.random.choice((1.0, LEASE_S)))
            return None
        finally:
            self._running.pop()

    def _serve(self, raw: bytes) -> tuple[int, bytes]:
        """`POST /v1/messages`; raises `Lost` when the process dies at it."""
        answers = self._serve_many([raw])
        if answers is None:
            raise Lost
        return answers[0]

    def _serve_many(self, raws: list[bytes]) -> list[tuple[int, bytes]] | None:
        node = self.nodes["web"]

        def serve() -> list[tuple[int, bytes]]:
            try:
                outcomes = self.flows.accept_many(raws, node.context, now=node.clock())
            except (XianjieError, OSError) as error:
                self.note("web failed", type(error).__name__)
                return [(503, b"")] * len(raws)
            return [answer_of(outcome) for outcome in outcomes]

        answers: list[tuple[int, bytes]] | None = self._in("web", serve)
        return answers

    def _tick_later(self, seconds: float) -> None:
        self.later(seconds, lambda: self._tick(self.random.choice(NODES[1:])))

    def _tick(self, name: str) -> None:
        """One look of a worker at everything it does."""
        node = self.nodes[name]

        def tick() -> None:
            needs_wait, lanes = node.look()
            if needs_wait:
                self._guarded(name, lambda: self._dispatch(node))
                self._wake_mailboxes()
                lanes = node.lanes()
            for office_id in lanes:
                self._guarded(name, partial(self._deliver, node, office_id))

        self._in(name, tick)

    def _guarded(self, name: str, work: Callable[[], object]) -> None:
        """As the scheduler does: a job's failure is its own."""
        try:
            work()
        except (XianjieError, OSError) as error:
            self.note(name, "job failed:", getattr(error, "code", type(error).__name__))
            self._tick_later(self.random.choice((1.0, LEASE_S)))

    def _dispatch(self, node: Node) -> None:
        if not self.schedule.leased:
            self.flows.dispatch(node.context, now=node.clock())
            return
        if node.worker.dispatch_all() == 0:
            self._tick_later(LEASE_S)
        node.worker.reconcile()

    def _deliver(self, node: Node, office_id: str) -> None:
        begun = next(self._numbers)
        mine: list[str] = []

        def push(url: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
            mine.extend(message_id_of(line) for line in body.split(b"\n"))
            # a lease taken before the receipt was on file may still be used: its worker cannot know
            late = [message_id for message_id in mine if self._relayed.get(message_id, begun) < begun]
            self._after_relay += [message_id for message_id in late if message_id not in self._by_operator]
            return self.network.push(url, body, content_type, headers)

        courier = Courier(push=push, owner=node.name, clock=node.clock, jitter=lambda: 0.0)
        done = self.flows.deliver(node.context, office_id, courier)
        self.note(node.name, "delivered to", office_id, done)
        if done.sent and done.relayed == done.sent:
            self._relayed |= dict.fromkeys(mine, next(self._numbers))
        if done.open:
            self._tick_later(RETRY_S)

    # --- the parties ---

    def _refer(self, at: int, asked: Asked) -> None:
        court = self.courts[asked.court]
        referral_id = f"r-{at}"
        if referral_id in court.asked:
            return
        court.asked[referral_id] = (asked.programme,)
        mine = [court.write("referral.submitted", referral_id, body_of(at, asked))]
        if self.schedule.together:
            mine += self._companions(court, asked)
        self._send_together(court, mine)
        if asked.withdraw_at is not None:
            self.later(asked.withdraw_at, lambda: self._withdraw(court, referral_id))

    def _companions(self, court: Court, asked: Asked) -> Iterator[Sending]:
        for at, other in enumerate(self.schedule.asked):
            referral_id = f"r-{at}"
            if other.court == asked.court and referral_id not in court.asked:
                court.asked[referral_id] = (other.programme,)
                yield court.write("referral.submitted", referral_id, body_of(at, other))

    def _send_together(self, court: Court, sendings: list[Sending]) -> None:
        """One message, or several in one batch whose answers come line by line."""
        if len(sendings) == 1:
            self._attempt(court, sendings[0], Leg.COURT)
            return
        answers = self.network.batch_to_gateway([one.raw for one in sendings], self._serve_many)
        self._tick_later(self.random.uniform(0.05, 0.3))
        for sending, answer in zip(sendings, answers, strict=True):
            sending.attempts += 1
            if answer is None:
                sending.doubts += 1
            else:
                court.hear(sending, *answer)
            self._follow_up(court, sending, Leg.COURT)

    def _withdraw(self, court: Court, referral_id: str) -> None:
        sending = court.write("referral.withdrawn", referral_id, {"referral_id": referral_id, "reason": "测试撤回"})
        court.withdrawn[referral_id] = sending
        self._attempt(court, sending, Leg.COURT)

    def _attempt(self, court: Court, sending: Sending, leg: Leg) -> None:
        if sending.is_open:
            court.send(sending, self._poster(court, leg))
            self._tick_later(self.random.uniform(0.05, 0.3))
            self.note(court.party_id, sending.kind, sending.about, known_of(sending))
            self._follow_up(court, sending, leg)

    def _poster(self, party: Party, leg: Leg) -> Post:
        return lambda one: self.network.to_gateway(leg, one.raw, partial(party.hear, one))

    def _follow_up(self, court: Court, sending: Sending, leg: Leg) -> None:
        if sending.is_open and sending.attempts < TRIES:
            self.later(self.random.uniform(0.5, 2) * 2**sending.attempts, lambda: self._attempt(court, sending, leg))

    def _wake_mailboxes(self) -> None:
        for agency in self.agencies.values():
            if is_mailbox(self.ground, agency.office_id):
                self.later(self.random.uniform(0.1, 2), partial(self._fetch, agency))

    def _fetch(self, agency: Agency) -> bool:
        """The office empties its mailbox; what it fetched and never answered it finds there again."""
        context = self.nodes["web"].context
        found = self._in("web", lambda: mailbox.pull(context, agency.party_id, after=0, limit=100)) or []
        before = len(agency.kept)
        for _, wire in found:
            agency.receive(wire.encode())
        return len(agency.kept) > before

    def _say(self, agency: Agency, matter: Matter) -> bool:
        sending = agency.next_answer(matter)
        if sending is None:
            return False
        agency.send(sending, self._poster(agency, Leg.REPLY))
        self.note(agency.office_id, "says", matter.said[-1][1], "of", matter.asked.handoff_id, known_of(sending))
        if not sending.is_open or sending.attempts < TRIES:
            self.later(self.random.uniform(0.2, 3), lambda: self._say(agency, matter))
        return True

    # --- the end ---

    def _quiesce(self) -> None:
        """Heals everything and goes on until nothing moves."""
        self._failures.clear()
        self._pauses.clear()
        # a lease taken by a clock that was ahead ends when the true time has come there
        self.seconds += sum(seconds for seconds in self.skew.values() if seconds > 0)
        self.skew.clear()
        self.network.heal()
        for agency in self.agencies.values():
            agency.forgive()
        for _ in range(ROUNDS):
            self.seconds += DAY_S
            if not self._round():
                return
            self._run_events()
        self.note("still moving after", ROUNDS, "rounds")

    def _round(self) -> bool:
        """Whatever any party still has to do, once; whether there was anything."""
        moved = False
        for court in self.courts.values():
            for sending in [one for one in court.sendings if one.is_open]:
                self._attempt(court, sending, Leg.COURT)
                moved = True
            moved |= self._refer_anew(court)
        node = self.nodes["worker-1"]
        if stuck := node.stuck():
            self._by_operator.update(stuck)
            moved |= bool(operate.send_again(node.context, stuck, who="测试", why="恢复", now=node.clock()))
        for _ in range(TURNS):
            if not any(node.look()):
                break
            self._tick("worker-1")
            moved = True
        for agency in self.agencies.values():
            if is_mailbox(self.ground, agency.office_id):
                moved |= self._fetch(agency)
            for matter in agency.matters.values():
                moved |= self._say(agency, matter)
        if self.schedule.reconcile:
            reconcile.reconcile_due(node.context, now=node.clock())
        return moved

    def _refer_anew(self, court: Court) -> bool:
        """A court whose message was refused for its time writes it anew."""
        moved = False
        for referral_id in court.asked:
            mine = court.of(referral_id)
            if all(one.refusal is not None for one in mine) and mine[-1].refusal == "stale_message":
                at = int(referral_id.removeprefix("r-"))
                sending = court.write("referral.submitted", referral_id, body_of(at, self.schedule.asked[at]))
                self._attempt(court, sending, Leg.COURT)
                moved = True
        return moved

    def _read_fates(self) -> None:
        """`GET /v1/referrals/{id}`, as each court does for what it asked."""
        node = self.nodes["web"]
        for court in self.courts.values():
            for referral_id in court.asked:
                try:
                    found = account.fate(node.context, referral_id, court=court.party_id, now=node.clock())
                except XianjieError as error:
                    self.note("fate of", referral_id, error.code)
                    continue
                court.told[referral_id] = {need.need_id: need.state.value for need in found.needs}


def simulate(seed: int, ground: Ground, flows: Flows = REAL, *, traced: bool = False) -> Outcome:
    """One seed, from beginning to end."""
    return Simulation(Schedule.draw(seed), ground, flows, traced=traced).run()
