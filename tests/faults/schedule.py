"""剧本 What one seed means: who asks for what, what the agencies will say, and everything that goes wrong.

Every schedule has at least one referral and at least one fault that is certain to be met: the first one strikes the
first time its place is reached. All the rest may or may not be met, which the run tells. Nothing else is drawn from
chance: `Schedule.draw(seed)` twice is the same, in any process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random

from gateway.failpoints import POINTS, Action
from tests.gateway_world import CIVIL_AFFAIRS, COURT, DISABLED_PERSONS, NEIGHBOUR, WOMENS_FEDERATION

GATEWAY_POINTS = tuple(name for name in POINTS if name.partition(".")[0] not in ("client", "journal", "agency"))
INSIDE = frozenset({"store.begun", "store.written"}) | {name for name, what in POINTS.items() if "inside" in what}
"""Points at which a transaction is open: nothing else can run in this thread then."""


class Leg(StrEnum):
    """Which call goes wrong."""

    COURT = "court"
    PUSH = "push"
    REPLY = "reply"


class Mischief(StrEnum):
    """What the network, or whoever answers, does with one call."""

    DROP_REQUEST = "drop_request"
    DROP_ANSWER = "drop_answer"
    TWICE = "twice"
    LATE_COPY = "late_copy"
    LATE = "late"
    HALF_ANSWER = "half_answer"
    EMPTY_OK = "empty_ok"
    SWALLOWED_OK = "swallowed_ok"
    ANOTHERS_ANSWER = "anothers_answer"
    PROXY_ERROR = "proxy_error"
    # only what an office answers
    NOT_SENT = "not_sent"
    STALL = "stall"
    WRONG_DIGEST = "wrong_digest"
    OTHER_OFFICE = "other_office"
    FORGED_REFUSAL = "forged_refusal"
    PROXY_REFUSAL = "proxy_refusal"


OF_OFFICES = (
    Mischief.NOT_SENT,
    Mischief.STALL,
    Mischief.STALL,
    Mischief.WRONG_DIGEST,
    Mischief.OTHER_OFFICE,
    Mischief.FORGED_REFUSAL,
    Mischief.PROXY_REFUSAL,
)
OF_ALL = tuple(one for one in Mischief if one not in OF_OFFICES)
STORM = 10
"""Faults of a bad day."""
STEPS_S = (2, 61, 200, 280, 600, 7_200, 86_400)
PAUSES_S = (0.5, 5, 61, 400)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One referral. withdraw_at: the second at which its court takes it back; plan: what the office will say."""

    court: str
    office_id: str
    programme: str
    matching: bool
    at: float
    plan: tuple[str, ...]
    withdraw_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClockStep:
    """A clock that somebody sets."""

    at: float
    who: str
    seconds: float


Place = tuple[str, int]
"""(failpoint or leg, the how-manieth time)."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One run."""

    seed: int
    asked: Sequence[Asked]
    failures: Mapping[Place, Action] = field(default_factory=dict)
    pauses: Mapping[Place, float] = field(default_factory=dict)
    """Seconds for which the process stops there while others go on."""
    mischief: Mapping[Place, Mischief] = field(default_factory=dict)
    steps: Sequence[ClockStep] = ()
    together: bool = False
    """The first referrals of one court are sent in one batch."""
    reconcile: bool = False
    leased: bool = False
    """Workers hand out and reconcile as their scheduler does: under leases."""
    sealed: bool = False
    """People's data is encrypted in the rows."""

    @classmethod
    def draw(cls, seed: int) -> "Schedule":
        """What the seed means."""
        return _Draw(seed).schedule()


_PAYS, _SERVES = ("PAID", "DENIED"), ("SERVICE_DELIVERED", "DENIED")
_ENDS: Mapping[str, tuple[str, ...]] = {
    CIVIL_AFFAIRS: _PAYS,
    DISABLED_PERSONS: _SERVES,
    WOMENS_FEDERATION: _SERVES,
}
_PROGRAMME = {CIVIL_AFFAIRS: "MLG", DISABLED_PERSONS: "ASD", WOMENS_FEDERATION: "PSY"}


class _Draw:
    def __init__(self, seed: int) -> None:
        self.seed, self.random = seed, Random(seed)
        self.failures: dict[Place, Action] = {}
        self.pauses: dict[Place, float] = {}
        self.mischief: dict[Place, Mischief] = {}
        self.steps: list[ClockStep] = []

    def schedule(self) -> Schedule:
        random = self.random
        asked = [self._asked() for _ in range(random.choices((1, 2, 3), (88, 9, 3))[0])]
        self._fault(sure=True, pushed=asked[0].office_id != WOMENS_FEDERATION)
        if not self._strikes_at_once():
            asked[0] = replace(asked[0], withdraw_at=None)
        for _ in range(random.choices((0, 1, 2, 3, STORM), (40, 35, 14, 8, 3))[0]):
            self._fault(sure=False, pushed=True)
        if self.steps and len(asked[0].plan) == 1:
            # a clock that is set between two answers is what may confuse their order
            asked[0] = replace(asked[0], plan=("ACCEPTED", *asked[0].plan))
        return Schedule(
            seed=self.seed,
            asked=tuple(asked),
            failures=self.failures,
            pauses=self.pauses,
            mischief=self.mischief,
            steps=tuple(self.steps),
            together=len(asked) > 1 and random.random() < 0.5,
            reconcile=random.random() < 0.06,
            sealed=random.random() < 0.25,
            leased=random.random() < 0.1,
        )

    def _strikes_at_once(self) -> bool:
        """Whether the sure fault meets the submission itself, not what a withdrawal might forestall."""
        (place,) = [*self.failures, *self.pauses, *self.mischief]
        return place[0].startswith(("accept.", "store.", Leg.COURT.value))

    def _asked(self) -> Asked:
        random = self.random
        office_id = random.choices((CIVIL_AFFAIRS, DISABLED_PERSONS, WOMENS_FEDERATION), (70, 15, 15))[0]
        before = random.choices(
            ((), ("delivered",), ("ACCEPTED",), ("delivered", "ACCEPTED", "APPROVED")), (80, 7, 8, 5)
        )[0]
        return Asked(
            court=random.choices((COURT, NEIGHBOUR), (80, 20))[0],
            office_id=office_id,
            programme=_PROGRAMME[office_id],
            matching=random.random() < 0.25,
            at=round(random.random(), 3),
            plan=(*before, random.choices(_ENDS[office_id], (75, 25))[0]),
            withdraw_at=round(random.uniform(0, 4), 3) if random.random() < 0.05 else None,
        )

    def _fault(self, *, sure: bool, pushed: bool) -> None:
        random = self.random
        kind = random.choices(("failure", "pause", "mischief", "step"), (36, 10, 38, 0 if sure else 16))[0]
        nth = 1 if sure else random.choices((1, 2, 3, 4), (45, 30, 15, 10))[0]
        if kind == "mischief":
            self._mischief(nth, pushed=pushed)
        elif kind == "step":
            who = random.choice(("web", "worker-1", "worker-2", "gateway", "gateway", "gateway", "courts", "agencies"))
            seconds = random.choice(STEPS_S) * random.choice((1, -1))
            self.steps.append(ClockStep(at=round(random.uniform(0, 5), 3), who=who, seconds=seconds))
        else:
            points = [name for name in GATEWAY_POINTS if pushed or not name.startswith("deliver.")]
            if kind == "pause":
                points = [name for name in points if name not in INSIDE]
                self.pauses[random.choice(points), nth] = random.choice(PAUSES_S)
            else:
                action = random.choices((Action.CRASH, Action.EIO), (65, 35))[0]
                self.failures[random.choice(points), nth] = action

    def _mischief(self, nth: int, *, pushed: bool) -> None:
        random = self.random
        leg = random.choices((Leg.COURT, Leg.PUSH, Leg.REPLY), (25, 50 if pushed else 0, 25))[0]
        kinds = (*OF_ALL, *OF_OFFICES) if leg is Leg.PUSH else OF_ALL
        self.mischief[leg.value, nth] = random.choice(kinds)
