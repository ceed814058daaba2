"""模拟行为 How a simulated agency behaves: shares of the handoffs that go one way or another, and what falls to each.

Nothing is drawn by chance: a fate follows from the seed and the ids alone, so that a second run, or a second telling of
the same message, meets the same fate. Shares are between 0 (nobody) and 1 (everybody).
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from hashlib import sha256

from gateway.errors import ConfigError

SHARES = ("silent", "denies", "unknown_code", "overpays", "no_receipt", "wrong_digest")
ANSWER_SHARES = ("inquiry_active", "inquiry_ended", "inquiry_unknown")


@dataclass(frozen=True, kw_only=True, slots=True)
class Behaviour:
    """模拟行为. Times are in seconds; the delays run from the receipt, and up to half is added by the handoff's hash.

    answer_after: how long every HTTP answer takes; down_for: the first so many requests get 503. Shares of messages:
    no_receipt: the first answer is a bare 200; wrong_digest: the first receipt names other bytes. Of handoffs: silent:
    receipted and never answered. Of needs: denies, unknown_code, overpays. Of programmes that an inquiry asks about:
    inquiry_active, inquiry_ended, inquiry_unknown; the rest is NEVER.
    """

    seed: str = "xianjie"
    answer_after: float = 0.0
    down_for: int = 0
    retrieved_after: float = 0.0
    delivered_after: float = 1.0
    disposition_after: float = 2.0
    decision_after: float = 4.0
    payment_after: float = 6.0
    silent: float = 0.0
    denies: float = 0.0
    unknown_code: float = 0.0
    overpays: float = 0.0
    no_receipt: float = 0.0
    wrong_digest: float = 0.0
    inquiry_active: float = 0.3
    inquiry_ended: float = 0.15
    inquiry_unknown: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "seed":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ConfigError(f"behaviour {field.name}: a number from 0 up")
            if field.name in (*SHARES, *ANSWER_SHARES) and value > 1:
                raise ConfigError(f"behaviour {field.name}: a share between 0 and 1")

    def hits(self, what: str, *ids: str) -> bool:
        """Whether the share named `what` falls on these ids."""
        return bool(self.fraction(what, *ids) < getattr(self, what))

    def fraction(self, what: str, *ids: str) -> float:
        """A number in [0, 1) that follows from the seed, the word and the ids."""
        named = "\n".join((self.seed, what, *ids)).encode()
        return int.from_bytes(sha256(named).digest()[:6], "big") / 2**48

    def delay(self, step: "Step", handoff_id: str) -> float:
        """Seconds from the receipt until this step of this handoff is told."""
        planned: float = getattr(self, f"{step.value}_after", self.payment_after)
        return planned * (1 + self.fraction("delay", handoff_id) / 2)


class Step(StrEnum):
    """What an agency tells of one handoff, in this order; closing instead of the rest when the court withdraws.

    Pushed handoffs are delivered, those from a mailbox retrieved.
    """

    RETRIEVED = "retrieved"
    DELIVERED = "delivered"
    DISPOSITION = "disposition"
    DECISION = "decision"
    PAYMENT = "payment"
    CLOSING = "closing"
    MATCH = "match"
    """A match it was asked about, in place of a handoff."""
    INQUIRY = "inquiry"
    """An inquiry it was asked, in place of a handoff."""


PUSHED = (Step.DELIVERED, Step.DISPOSITION, Step.DECISION, Step.PAYMENT)
FETCHED = (Step.RETRIEVED, *PUSHED[1:])
MESSAGE_TYPES = {
    Step.RETRIEVED: "handoff.retrieved",
    Step.DELIVERED: "handoff.delivered",
    Step.DISPOSITION: "handoff.disposition",
    Step.DECISION: "handoff.outcome",
    Step.PAYMENT: "handoff.outcome",
    Step.CLOSING: "handoff.outcome",
    Step.MATCH: "match.disposition",
    Step.INQUIRY: "inquiry.answered",
}


class Fate(StrEnum):
    """What becomes of one need."""

    HELPED = "helped"
    OVERPAID = "overpaid"
    DENIED = "denied"
    UNKNOWN_CODE = "unknown_code"


def fate_of(behaviour: Behaviour, handoff_id: str, need_id: str) -> Fate:
    """The first share, in this order, that falls on the need."""
    for what, fate in (
        ("unknown_code", Fate.UNKNOWN_CODE),
        ("denies", Fate.DENIED),
        ("overpays", Fate.OVERPAID),
    ):
        if behaviour.hits(what, handoff_id, need_id):
            return fate
    return Fate.HELPED
