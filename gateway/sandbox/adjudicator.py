"""模拟处置 What a simulated side says of a match it is asked about: it follows from the match's number alone.

So both sides of most matches agree, whoever simulates them: the later gives way, or both may stay, or it is no match;
about one in ten both insist, and a person has to decide. A real office looks into its files instead.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

NOTICE, DISPOSITION = "match.notice", "match.disposition"
_GIVES_WAY, _LAWFUL, _FALSE = 0.4, 0.7, 0.9


def disposition(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a `match.disposition` for the body of a `match.notice`."""
    said: dict[str, Any] = {name: asked[name] for name in ("match_id", "side", "referral_id")}
    share = int.from_bytes(sha256(str(asked["match_id"]).encode()).digest()[:6], "big") / 2**48
    if share < _GIVES_WAY and asked["side"] == "A":
        return said | {"disposition": "STOP_MINE", "stops_by": "STOP", "reason": "模拟处置：由对方继续，本方停止。"}
    if share < _GIVES_WAY or share >= _FALSE:
        return said | {"disposition": "SAME_HELP_KEEP_MINE", "reason": "模拟处置：同一救助，由本方继续。"}
    if share < _LAWFUL:
        return said | {"disposition": "LAWFUL_BOTH", "reason": "模拟处置：两项救助可以并存。"}
    code = "NOT_SAME_PERSON" if asked.get("kind") == "same_person" else "NOT_SAME_HELP"
    return said | {"disposition": code, "reason": "模拟处置：经查不是同一情况。"}


def remembered(asked: Mapping[str, Any]) -> str:
    """What a notebook keeps of a notice until it is answered."""
    names = ("match_id", "side", "round", "kind")
    return "|".join(str(asked.get(name, "")) for name in names)


def recalled(text: str, referral_id: str) -> dict[str, Any]:
    """The same, read again."""
    match_id, side, _, kind = text.split("|")
    return {"match_id": match_id, "side": side, "kind": kind, "referral_id": referral_id}
