"""所用 What a simulation is given, what it comes to, and what is said in it."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import XianjieError
from gateway.flows import accept, deliver, dispatch
from gateway.flows.deliver import Delivered
from tests.builders import an_id_number
from tests.faults.judge import Counts
from tests.faults.nodes import MATCHING, PLAIN
from tests.faults.parties import Sending, problem
from tests.faults.schedule import Asked
from tests.gateway_world import a_referral_body


@dataclass(frozen=True, kw_only=True)
class Flows:
    """The arrows under test."""

    accept_many: Callable[..., Any] = accept.accept_many
    dispatch: Callable[..., Any] = dispatch.dispatch
    deliver: Callable[..., Delivered] = deliver.deliver


REAL = Flows()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run came to. met: every fault that struck."""

    seed: int
    counts: Counts
    met: Counter[str]
    trace: tuple[str, ...]


def answer_of(outcome: Any) -> tuple[int, bytes]:
    """Status and body of what `accept` came to, as the web answers it."""
    if isinstance(outcome, XianjieError):
        return outcome.status, problem(outcome)
    if isinstance(outcome, Exception):
        return 500, b""
    return (200 if outcome.replayed else 202), outcome.receipt.encode()


def known_of(sending: Sending) -> str:
    """What its sender knows of a message, for the trace."""
    return "receipt" if sending.receipt else f"refused {sending.refusal}" if sending.refusal else "unknown"


def body_of(at: int, asked: Asked) -> Mapping[str, Any]:
    """The referral of one place in the schedule."""
    honest = a_referral_body()
    return honest | {
        "referral_id": f"r-{at}",
        "agreement_document": MATCHING if asked.matching else PLAIN,
        "original_case_group": f"（2025）黔0102民初{at + 1}号",
        "person": honest["person"] | {"name": f"测试甲{at}", "id_number": an_id_number(serial=at)},
        "needs": [{"programme": asked.programme}],
    }
