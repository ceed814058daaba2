"""后续报文 What the synthetic courts send after their referrals: payments 发放 and a few withdrawals 撤回.

Every aid whose `paid_at` lies within the period is paid once, whole, to the beneficiary or a child's guardian. The
second aid of the planted pair is not paid: a person looks first. A withdrawal takes back the request for help, not the
court's decision, so withdrawn referrals are ordinary ones and the published figures hold with and without them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from gateway.domain.person import SpecificGroup
from gateway.domain.referral import Decision, ReferralAssessment
from gateway.sandbox.province import LAST_DAY, Scenario, SyntheticReferral, referrals

WITHDRAWALS = 4
WITHDRAWN_TYPE, PAID_TYPE = "referral.withdrawn", "judicial_assistance.paid"
_REASONS = (
    "合成数据：当事人已另行获得帮助，申请撤回。",
    "合成数据：当事人外出务工，家庭情况已改善，不再申请。",
    "合成数据：移送需求填写有误，撤回后另行核实。",
    "合成数据：当事人书面表示不愿移送。",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticSequel:
    """One later message. on: the China day the court sends it; data: as `schemas.referral` reads it."""

    court: str
    type: str
    on: date
    data: dict[str, Any]


def court_payments(seed: int = 2024) -> Iterator[SyntheticSequel]:
    """One `judicial_assistance.paid` for every aid that was paid within the period."""
    for number, sent in enumerate(referrals(seed), start=1):
        if "paid_at" in sent.data:
            yield SyntheticSequel(
                court=sent.court,
                type=PAID_TYPE,
                on=date.fromisoformat(sent.data["paid_at"]),
                data={
                    "referral_id": sent.data["referral_id"],
                    "payment_id": f"SYN-PAY-{seed}-{number:04d}",
                    "amount_fen": sent.data["decided_amount_fen"],
                    "paid_on": sent.data["paid_at"],
                    "payee": "GUARDIAN" if _is_child(sent) else "BENEFICIARY",
                },
            )


def withdrawals(seed: int = 2024) -> Iterator[SyntheticSequel]:
    """A few `referral.withdrawn`, spread over the period, each the day after its case was concluded."""
    candidates = [sent for sent in referrals(seed) if _may_be_withdrawn(sent)]
    step = len(candidates) // WITHDRAWALS
    for sent, reason in zip(candidates[step // 2 :: step], _REASONS, strict=False):
        yield SyntheticSequel(
            court=sent.court,
            type=WITHDRAWN_TYPE,
            on=date.fromisoformat(sent.data["concluded_on"]) + timedelta(days=1),
            data={"referral_id": sent.data["referral_id"], "reason": reason},
        )


def _is_child(sent: SyntheticReferral) -> bool:
    return SpecificGroup.MINOR.value in sent.data["person"].get("specific_groups", ())


def _may_be_withdrawn(sent: SyntheticReferral) -> bool:
    data = sent.data
    return (
        sent.scenario is Scenario.ORDINARY
        and data.get("assessment") == ReferralAssessment.REFER
        and data["decision"] == Decision.ASSIST
        and "urgency" not in data
        and data["concluded_on"] < LAST_DAY.isoformat()
    )
