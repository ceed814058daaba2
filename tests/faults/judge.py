"""裁判 What became of everything, from the parties' journals alone: Jepsen's four counts.

lost: a receipt was given and what it promised did not happen (a referral nobody works on, an answer the court cannot
see). unexpected: something happened that nobody asked for, or somebody was told what nobody said. duplicated: one need
worked on twice. recovered: an outcome was in doubt, and in the end it was whole. The gateway's database is not asked.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.parties import Agency, Court, Effect, Matter, Party

EXPECTED: Mapping[str, str] = {
    "PAID": "assisted",
    "SERVICE_DELIVERED": "assisted",
    "DENIED": "not_assisted",
    "APPROVED": "in_progress",
    "ACCEPTED": "accepted_by_agency",
    "delivered": "received",
    "retrieved": "received",
}
"""What the court must read after an agency said this last."""
BEFORE_ANY_ANSWER = frozenset({"handed_off", "routed"})
TAKEN_BACK = frozenset({"withdrawn", "cancel_requested", "cancelled"})


@dataclass(kw_only=True)
class Counts:
    """Jepsen's four."""

    lost: int = 0
    unexpected: int = 0
    duplicated: int = 0
    recovered: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """0, 0, 0, n."""
        return not (self.lost or self.unexpected or self.duplicated)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            lost=self.lost + other.lost,
            unexpected=self.unexpected + other.unexpected,
            duplicated=self.duplicated + other.duplicated,
            recovered=self.recovered + other.recovered,
            complaints=[*self.complaints, *other.complaints],
        )

    def complain(self, what: str, why: str) -> None:
        """One more of `lost`, `unexpected` or `duplicated`."""
        setattr(self, what, getattr(self, what) + 1)
        self.complaints.append(f"{what}: {why}")


def judge(
    courts: Iterable[Court],
    agencies: Iterable[Agency],
    pushed_after_relay: Sequence[str] = (),
    doubtful: Collection[str] = (),
) -> Counts:
    """The four counts of one run. pushed_after_relay: messages that left again after a worker had said that they
    arrived, and nobody asked for it; doubtful: messages of which a push had no honest answer."""
    counts = Counts()
    offices = list(agencies)
    effects: dict[str, list[Effect]] = {}
    for office in offices:
        for effect in office.effects:
            effects.setdefault(effect.need_id, []).append(effect)
    asked: set[str] = set()
    for court in courts:
        _judge_letters(counts, court)
        for referral_id in court.asked:
            needs = [f"{referral_id}:{at}" for at in range(1, len(court.asked[referral_id]) + 1)]
            asked.update(needs)
            _judge_referral(counts, court, referral_id, needs, effects)
            _judge_told(counts, court, referral_id, needs, offices)
            _judge_withdrawal(counts, court, referral_id, offices)
    for need_id, found in effects.items():
        if need_id not in asked:
            counts.complain("unexpected", f"work on {need_id}, which no court asked for")
        counts.recovered += sum(
            office.kept[one.message_id].times > 1 or one.message_id in doubtful
            for one in found
            for office in _of(offices, one)
        )
    for office in offices:
        _judge_letters(counts, office)
    for message_id in pushed_after_relay:
        counts.complain("unexpected", f"{message_id} sent again after its receipt was on file")
    return counts


def _of(offices: Sequence[Agency], effect: Effect) -> list[Agency]:
    return [office for office in offices if effect.message_id in office.kept]


def _judge_letters(counts: Counts, party: Party) -> None:
    """Every message of a party: its outcome is known, one message has one receipt."""
    for sending in party.sendings:
        if sending.is_open:
            counts.complain("lost", f"{sending.kind} about {sending.about} was never answered")
        if sending.other_receipts:
            counts.complain("unexpected", f"{sending.kind} about {sending.about} has two receipts")
        counts.recovered += bool(sending.doubts and sending.receipt is not None)


def _judge_referral(
    counts: Counts, court: Court, referral_id: str, needs: Sequence[str], effects: Mapping[str, Sequence[Effect]]
) -> None:
    """Exactly once where a receipt is held; nothing where every message was refused; a withdrawn one at most once."""
    has_receipt = any(one.receipt is not None for one in court.of(referral_id))
    for need_id in needs:
        count = len(effects.get(need_id, ()))
        if count > 1:
            counts.duplicated += count - 1
            counts.complaints.append(f"duplicated: {need_id} was worked on {count} times")
        if count and not has_receipt:
            counts.complain("unexpected", f"{need_id} is worked on, and its court was told no")
        if has_receipt and not count and referral_id not in court.withdrawn:
            counts.complain("lost", f"{need_id} has a receipt and nobody works on it")


def _judge_told(
    counts: Counts, court: Court, referral_id: str, needs: Sequence[str], offices: Sequence[Agency]
) -> None:
    """What the court reads is what the agency said last, among what it holds receipts for."""
    if not any(one.receipt is not None for one in court.of(referral_id)):
        return
    told = court.told.get(referral_id)
    if told is None:
        counts.complain("lost", f"{referral_id} has a receipt and cannot be read")
        return
    for need_id in needs:
        said = _last_said(need_id, offices)
        state = told.get(need_id, "missing")
        if state in _may_read(said, court.withdrawn.get(referral_id) is not None):
            continue
        known = {EXPECTED[what] for what in _everything_said(need_id, offices)} | BEFORE_ANY_ANSWER
        what = "lost" if state in known else "unexpected"
        counts.complain(what, f"{need_id} reads {state} after its agency said {said}")


def _judge_withdrawal(counts: Counts, court: Court, referral_id: str, offices: Sequence[Agency]) -> None:
    """An office that works on what its court took back was told so, once; nobody else was."""
    withdrawal = court.withdrawn.get(referral_id)
    states = set(court.told.get(referral_id, {}).values())
    for office in offices:
        for handoff_id, matter in office.matters.items():
            if matter.message.envelope.subject != referral_id:
                continue
            told = office.withdrawals_of(handoff_id)
            if told > 1:
                counts.complain("duplicated", f"{handoff_id} was withdrawn {told} times")
            if told and withdrawal is None:
                counts.complain("unexpected", f"{handoff_id} was withdrawn, and its court never asked")
            if not told and states & {"withdrawn", "cancel_requested"}:
                counts.complain("lost", f"{handoff_id} is withdrawn, and its office does not know")


def _may_read(said: str | None, is_withdrawn: bool) -> frozenset[str]:
    expected = frozenset({EXPECTED[said]}) if said else BEFORE_ANY_ANSWER
    return expected | TAKEN_BACK if is_withdrawn else expected


def _matters(need_id: str, offices: Sequence[Agency]) -> list[Matter]:
    return [
        matter
        for office in offices
        for matter in office.matters.values()
        if any(need.need_id == need_id for need in matter.asked.needs)
    ]


def _last_said(need_id: str, offices: Sequence[Agency]) -> str | None:
    """The last answer, by the agency's own records, that has a receipt."""
    said = [
        (at, what)
        for matter in _matters(need_id, offices)
        for at, what, sending in matter.said
        if sending.receipt is not None
    ]
    return max(said)[1] if said else None


def _everything_said(need_id: str, offices: Sequence[Agency]) -> Counter[str]:
    return Counter(what for matter in _matters(need_id, offices) for _, what, _ in matter.said)
