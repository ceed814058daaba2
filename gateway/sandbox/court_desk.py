"""模拟法院 How a simulated court answers the clues in its mailbox: it follows from the seed and the id.

Most people are told that they may apply, some are aided at once, some are not, a few belong to another organ.
A clue that got its answer has left the mailbox, so a second run says nothing twice.
"""

from collections.abc import Mapping
from typing import Any

from gateway.client import Client
from gateway.sandbox.behaviour import Behaviour

CLUE, ANSWERED = "clue.forwarded", "clue.answered"
AIDED_FEN = 1_000_000
_ANSWERS: tuple[tuple[float, str, Mapping[str, Any]], ...] = (
    (0.5, "INFORMED_PERSON", {}),
    (0.7, "NOT_ASSISTED", {"refusal_code": "X5"}),
    (0.9, "ASSISTED", {"amount_fen": AIDED_FEN}),
    (1.0, "NOT_COURT", {"to": "检察机关（模拟）"}),
)
"""Up to which share, the code, and what it brings along."""


def clue_answer(clue: Mapping[str, Any], behaviour: Behaviour) -> dict[str, Any]:
    """The body of `clue.answered` for the body of `clue.forwarded`."""
    clue_id = str(clue["clue_id"])
    share = behaviour.fraction("clue", clue_id)
    code, carried = next((code, carried) for up_to, code, carried in _ANSWERS if share < up_to)
    return {"clue_id": clue_id, "code": code, **carried}


def answer_clues(client: Client, behaviour: Behaviour) -> int:
    """Answers every clue that waits for this court; how many."""
    found, after = 0, 0
    while page := list(client.inbox(after=after)):
        after = max(one.envelope.seq or 0 for one in page)
        for one in page:
            if one.envelope.type == CLUE and isinstance(one.envelope.data, dict):
                client.answer(one, ANSWERED, clue_answer(one.envelope.data, behaviour))
                found += 1
    return found
