"""证据摘要 The page for people: one referral's evidence on paper, in Chinese and English, and the same as plain text.

Rendered from a bundle's members and nothing else, so whoever verifies the bundle can make the page again and compare.
No script, no picture, nothing from elsewhere; every text is escaped, cut and cleaned. It tells what the papers say: a
name or a number of a person stands in the messages only. `EDITION` is raised whenever the same evidence would give
another page.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from gateway.domain.calendar import CHINA
from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.errors import CheckpointInvalid
from gateway.evidence.checkpoint import unverified
from gateway.evidence.contents import Contents, Paper, moment_of
from gateway.evidence.rungs import HandoffLadder, RungState, ladders
from gateway.evidence.words import Word, word

EDITION = 1
LONGEST = 500
MOST_FEN = 10**13
_SHORT = 12
_OPEN_STATES = frozenset(state.value for state in OPEN_NEEDS | {NeedState.HELD})
_AMOUNTS = {"referral.submitted": "decided_amount_fen", "judicial_assistance.paid": "amount_fen"}


def render_page(contents: Contents) -> bytes:
    """`summary.html`."""
    return _template("summary.html").render(_view(contents)).encode()


def render_plain(contents: Contents) -> bytes:
    """`summary.txt`."""
    return _template("summary.txt").render(_view(contents)).encode()


@cache
def _template(name: str) -> Template:
    environment = Environment(
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = files(__package__).joinpath(f"templates/{name}").read_text(encoding="utf-8")
    return environment.from_string(text)


def _view(contents: Contents) -> dict[str, Any]:
    """Everything the templates show, as cleaned texts."""
    manifest, export = contents.manifest, contents.manifest["export"]
    found = ladders(contents)
    return {
        "referral_id": contents.referral_id,
        "case_number": _case_number(contents),
        "gateway": _party(contents, contents.gateway),
        "made_at": _moment(contents.made_at),
        "who": _clean(export["who"]),
        "why": _clean(export["why"]),
        "decision_id": export["decision_id"],
        "fingerprint": manifest["fingerprint"],
        "erased_at": _moment(contents.erased_at) if contents.erased_at is not None else "",
        "origin": manifest["origin"],
        "tree_size": manifest["tree_size"],
        "root": _root(contents),
        "papers": [_paper(paper, contents) for paper in contents.messages],
        "receipts": [_receipt(paper, contents) for paper in contents.receipts],
        "unreadable": [f"{paper.name} ({paper.reason})" for paper in contents.unreadable],
        "ladders": [_ladder(ladder, contents) for ladder in found],
        "needs": [_need(row) for row in contents.needs],
        "replies": [_reply(row) for row in contents.replies],
        "decisions": [_decision(row) for row in contents.decisions],
        "attempts": list(_attempts(contents)),
        "open": list(_open(found, contents)),
        "keys": [_key(key, contents) for key in contents.keys],
    }


def _paper(paper: Paper, contents: Contents) -> dict[str, Any]:
    envelope, leaf = paper.envelope, contents.leaf_of.get(paper.digest)
    return {
        "name": paper.name,
        "at": _moment(contents.logged_at(paper)),
        "source": _party(contents, envelope.source),
        "recipient": _party(contents, envelope.recipient),
        "type": word("type", envelope.type),
        "id": envelope.id,
        "answers": _name_of(envelope.in_reply_to, contents),
        "amount": _amount_of(paper),
        "digest": paper.digest[:_SHORT],
        "leaf": "—" if leaf is None else f"#{leaf.index}",
    }


def _receipt(paper: Paper, contents: Contents) -> dict[str, Any]:
    said, leaf = paper.said, contents.leaf_of.get(paper.digest)
    return {
        "name": paper.name,
        "at": _moment(said.at if said is not None else paper.envelope.time),
        "source": _party(contents, paper.envelope.source),
        "rung": word("rung", said.rung.value if said is not None else ""),
        "verdict": word("verdict", said.verdict.value if said is not None else ""),
        "reason": (said.reason_code or "") if said is not None else "",
        "about": _name_of(paper.envelope.in_reply_to, contents),
        "leaf": "—" if leaf is None else f"#{leaf.index}",
    }


def _ladder(ladder: HandoffLadder, contents: Contents) -> dict[str, Any]:
    return {
        "office": _party(contents, ladder.handoff.envelope.recipient),
        "name": ladder.handoff.name,
        "id": ladder.handoff.envelope.id,
        "states": [_state(state, ladder, contents) for state in ladder.states],
    }


def _state(state: RungState, ladder: HandoffLadder, contents: Contents) -> dict[str, Any]:
    reached = state.reached
    return {
        "rung": word("rung", state.rung.value),
        "meaning": word("meaning", state.rung.value),
        "reached": reached is not None,
        "implied": ladder.implies(state.rung),
        "at": _moment(reached.at) if reached else "",
        "by": _party(contents, reached.by) if reached else {"name": "", "id": ""},
        "name": reached.name if reached else "",
        "code": word("reply", reached.reason_code or "").zh if reached else "",
        "superseded": state.superseded,
        "against": [
            {
                "at": _moment(proof.at),
                "by": _party(contents, proof.by),
                "verdict": word("verdict", proof.verdict.value),
                "reason": proof.reason_code or "",
                "name": proof.name,
            }
            for proof in state.against
        ],
    }


def _need(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "need": row["need_id"],
        "programme": row["programme"],
        "state": word("state", row["state"]),
        "since": _moment(row["since"]),
    }


def _reply(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": _moment(row["at"]),
        "need": row.get("need_id", "—"),
        "code": word("reply", row.get("code", "—")),
        "reason": word("reply", row["reason"]).zh if "reason" in row else "",
        "programme": row.get("programme", ""),
        "amount": _yuan(row.get("amount_fen")),
        "period": _period(row.get("starts_on"), row.get("ends_on")),
        "due": row["next_due"].isoformat() if "next_due" in row else "",
        "applied": row["applied"],
        "problem": row.get("problem", ""),
    }


def _decision(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": _moment(moment_of(row["at"])),
        "who": _clean(row["who"]),
        "what": word("decision", row["what"]),
        "subject": _clean(row["subject"]),
        "why": _clean(row["why"]),
    }


def _attempts(contents: Contents) -> Iterator[dict[str, Any]]:
    """One line a message: how often it was tried and how the last try ended."""
    by_message: dict[str, list[Mapping[str, Any]]] = {}
    for row in contents.attempts:
        by_message.setdefault(row["message_id"], []).append(row)
    for message_id, rows in by_message.items():
        last = rows[-1]
        yield {
            "name": _name_of(message_id, contents),
            "count": len(rows),
            "at": _moment(last["started_at"]),
            "outcome": word("attempt", last.get("outcome", "—")),
        }


def _open(found: Sequence[HandoffLadder], contents: Contents) -> Iterator[Word]:
    """What nobody has signed yet."""
    if contents.erased_at is not None:
        yield Word(zh="内容已删除,只余摘要值可核对。", en="The content was erased; only digests can be checked.")
    elif not found:
        yield Word(zh="尚未转办任何部门。", en="Not handed to any agency yet.")
    for ladder in found:
        office = " ".join(_party(contents, ladder.handoff.envelope.recipient).values()).strip()
        missing = [
            state.rung.value for state in ladder.states if state.reached is None and not ladder.implies(state.rung)
        ]
        if missing:
            yield Word(
                zh=f"{office}:尚无{'、'.join(word('rung', rung).zh for rung in missing)}证据。",
                en=f"{office}: no evidence of {', '.join(missing)} yet.",
            )
    for row in contents.needs:
        if row["state"] in _OPEN_STATES:
            state = word("state", row["state"])
            yield Word(
                zh=f"需求 {row['need_id']} {row['programme']}:{state.zh}。",
                en=f"need {row['need_id']} {row['programme']}: {state.en}.",
            )
    for paper in contents.unreadable:
        yield Word(zh=f"{paper.name} 无法读取。", en=f"{paper.name} cannot be read.")


def _key(key: Any, contents: Contents) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "party": _party(contents, key.party_id),
        "alg": key.alg.value,
        "from": _moment(key.not_before),
        "to": _moment(key.not_after) if key.not_after is not None else "",
        "revoked": _moment(key.revoked_at) if key.revoked_at is not None else "",
    }


def _party(contents: Contents, party_id: str) -> dict[str, str]:
    known = contents.participants.get(party_id)
    return {"name": _clean(known.name_zh) if known is not None else "", "id": party_id}


def _name_of(message_id: str | None, contents: Contents) -> str:
    """The member a message id leads to; the id itself where there is none."""
    if message_id is None:
        return ""
    return next((paper.name for paper in contents.messages if paper.envelope.id == message_id), message_id)


def _case_number(contents: Contents) -> str:
    for paper in contents.messages:
        body = paper.envelope.data
        if isinstance(body, dict) and isinstance(body.get("case_number"), str):
            return _clean(body["case_number"])
    return ""


def _amount_of(paper: Paper) -> str:
    body, name = paper.envelope.data, _AMOUNTS.get(paper.envelope.type)
    return _yuan(body.get(name)) if isinstance(body, dict) and name is not None else ""


def _root(contents: Contents) -> str:
    try:
        return unverified(contents.checkpoint).root.hex()
    except CheckpointInvalid:
        return "—"


def _yuan(fen: Any) -> str:
    if type(fen) is not int or not 0 <= fen <= MOST_FEN:
        return ""
    return f"{fen // 100:,}.{fen % 100:02d}"


def _period(first: date | None, last: date | None) -> str:
    if first is None and last is None:
        return ""
    return f"{first.isoformat() if first else ''} → {last.isoformat() if last else ''}"


def _moment(moment: datetime) -> str:
    """China's time to the second; what China's calendar cannot write stays in UTC."""
    try:
        return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError):
        return moment.isoformat()


def _clean(text: str) -> str:
    """Without controls, marks of direction and what has no shape."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:LONGEST])
