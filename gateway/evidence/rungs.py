"""证据阶梯 The ladder of evidence of each handoff in a bundle: which rung was reached, when, and by whose signature.

Rungs follow WIRE §3. The first is the court's: the gateway's receipt for the referral. Above it a rung's evidence is a
receipt about the handoff, or the agency's own signed message. A negative receipt stays beside the positive one that
supersedes it. What is told here is what the papers say; whether their signatures hold is the verifier's part.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.evidence.contents import Contents, Paper
from gateway.evidence.receipt import ReceiptVerdict, Rung

HANDOFF = "handoff.issued"
REFERRAL = "referral.submitted"

_ANSWER = frozenset({Rung.DISPOSITION, Rung.OUTCOME})
RUNGS_OF_TYPE: Mapping[str, frozenset[Rung]] = {
    "handoff.delivered": frozenset({Rung.DELIVERY}),
    "handoff.retrieved": frozenset({Rung.RETRIEVAL}),
    "handoff.disposition": _ANSWER,
    "handoff.outcome": _ANSWER,
    "status.changed": _ANSWER,
}
"""Which rungs an agency's type of message can be the evidence of; what its body says only its adapter knows."""
ORDER = tuple(Rung)


@dataclass(frozen=True, kw_only=True, slots=True)
class RungEvidence:
    """One piece of evidence for or against a rung. name: the member that holds it."""

    rung: Rung
    verdict: ReceiptVerdict
    reason_code: str | None
    at: datetime
    by: str
    name: str

    @property
    def is_positive(self) -> bool:
        """Whether it shows that the rung was reached."""
        return self.verdict.is_positive


@dataclass(frozen=True, kw_only=True, slots=True)
class RungState:
    """One rung of one handoff. superseded: a negative came first and a positive after it."""

    rung: Rung
    reached: RungEvidence | None
    against: tuple[RungEvidence, ...]

    @property
    def superseded(self) -> bool:
        """Whether what was said against it did not last."""
        return self.reached is not None and bool(self.against)


@dataclass(frozen=True, kw_only=True, slots=True)
class HandoffLadder:
    """证据阶梯 of one handoff, all six rungs in order."""

    handoff: Paper
    states: tuple[RungState, ...]

    @property
    def highest(self) -> Rung | None:
        """The highest rung reached."""
        reached = [state.rung for state in self.states if state.reached is not None]
        return reached[-1] if reached else None

    def implies(self, rung: Rung) -> bool:
        """Whether a higher rung was reached, so that this one must have been."""
        return self.highest is not None and ORDER.index(rung) < ORDER.index(self.highest)


def ladders(contents: Contents) -> tuple[HandoffLadder, ...]:
    """One for each handoff, in the order they were issued."""
    return tuple(_ladder(paper, contents) for paper in contents.messages if paper.envelope.type == HANDOFF)


def _ladder(handoff: Paper, contents: Contents) -> HandoffLadder:
    proofs = sorted(_proofs(handoff, contents), key=lambda proof: (proof.at, proof.name))
    return HandoffLadder(handoff=handoff, states=tuple(_state(rung, proofs) for rung in ORDER))


def _state(rung: Rung, proofs: Iterable[RungEvidence]) -> RungState:
    mine = [proof for proof in proofs if proof.rung is rung]
    return RungState(
        rung=rung,
        reached=next((proof for proof in mine if proof.is_positive), None),
        against=tuple(proof for proof in mine if not proof.is_positive),
    )


def _proofs(handoff: Paper, contents: Contents) -> Iterable[RungEvidence]:
    yield from _submission(contents)
    for receipt in contents.receipts:
        envelope, said = receipt.envelope, receipt.said
        if said is not None and envelope.in_reply_to == handoff.envelope.id and _about(receipt, handoff):
            yield RungEvidence(
                rung=said.rung,
                verdict=said.verdict,
                reason_code=said.reason_code,
                at=said.at,
                by=envelope.source,
                name=receipt.name,
            )
    about = {handoff.envelope.id} | {
        paper.envelope.id for paper in contents.ours.values() if paper.envelope.in_reply_to == handoff.envelope.id
    }
    for row in contents.rungs:
        evidence = contents.by_id.get((row["issuer"], row["evidence_id"]))
        if row["message_id"] in about and evidence is not None:
            yield RungEvidence(
                rung=row["rung"],
                verdict=ReceiptVerdict(row["verdict"]),
                reason_code=row.get("reason_code"),
                at=row["at"],
                by=row["issuer"],
                name=evidence.name,
            )


def _submission(contents: Contents) -> Iterable[RungEvidence]:
    """The gateway's receipt for the court's first referral."""
    for message in contents.messages:
        if message.envelope.type != REFERRAL:
            continue
        for receipt in contents.receipts:
            said = receipt.said
            if said is not None and said.rung is Rung.SUBMISSION and _about(receipt, message):
                yield RungEvidence(
                    rung=Rung.SUBMISSION,
                    verdict=said.verdict,
                    reason_code=said.reason_code,
                    at=said.at,
                    by=receipt.envelope.source,
                    name=receipt.name,
                )
        return


def _about(receipt: Paper, message: Paper) -> bool:
    """Law 4: the receipt names this message's id and digest."""
    envelope = receipt.envelope
    return envelope.in_reply_to == message.envelope.id and envelope.in_reply_to_digest == message.digest
