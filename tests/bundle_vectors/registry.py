"""The register of named bundles, and the pieces of story several of them add.

A vector is a function that builds a bundle. Its `code` and `subject` are the first refutation the verifier must give;
`also` are further codes that follow of themselves, in order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.evidence.bundle import read_bundle, write_bundle
from gateway.evidence.verifier.entries import ERASED
from gateway.evidence.verifier.key_leaves import end_digest
from tests.bundle_builder import (
    AGENCY,
    GATEWAY,
    REFERRAL,
    Said,
    Scene,
    Vector,
    honest,
    minutes,
)

Build = Callable[[], bytes]


@dataclass(frozen=True, kw_only=True)
class _Entry:
    build: Build
    expected: dict[str, Any]
    given: Mapping[str, bytes]


_ALL: dict[str, _Entry] = {}


def fails(
    code: str, subject: str, zh: str, en: str, *also: str, given: Mapping[str, bytes] | None = None, **options: Any
) -> Callable[[Build], Build]:
    """Registers a bundle that must be refused for this reason first."""

    def register(build: Build) -> Build:
        expected = {"code": code, "subject": subject, "why_zh": zh, "why_en": en, "also": list(also), **options}
        _ALL[f"{build.__name__}_fail"] = _Entry(build=build, expected=expected, given=given or {})
        return build

    return register


def passes(
    zh: str, en: str, *open_: str, given: Mapping[str, bytes] | None = None, **options: Any
) -> Callable[[Build], Build]:
    """Registers a bundle in which nothing is refuted; open_: codes that must be among what is left open."""

    def register(build: Build) -> Build:
        expected = {"code": None, "why_zh": zh, "why_en": en, "open": list(open_), **options}
        _ALL[f"{build.__name__}_pass"] = _Entry(build=build, expected=expected, given=given or {})
        return build

    return register


def every_vector() -> dict[str, Vector]:
    """Built anew. `{handoff}` and the like in a subject are the ids of the honest story."""
    said = honest()
    ids = {name: one.id for name, one in said.said.items()} | {"decision": str(said.decisions[0]["decision_id"])}
    return {
        name: Vector(bundle=entry.build(), expected=_filled(entry.expected, ids), given=entry.given)
        for name, entry in _ALL.items()
    }


def _filled(expected: dict[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    subject = expected.get("subject")
    return {**expected, "subject": subject.format_map(ids)} if subject else expected


def accepted(scene: Scene, source: str, type_: str, data: Any, **more: Any) -> Said:
    """One more message to the gateway at the end of the story, with its receipt."""
    at = more.pop("at", minutes(2200))
    said = scene.message(source, GATEWAY, type_, data, at=at, **more)
    scene.receipt(said, "submission", at=at)
    return said


def sent(scene: Scene, type_: str = "handoff.reminder", **more: Any) -> Said:
    """One more message of the gateway to the agency at the end of the story."""
    known = {"at": minutes(2200), "seq": 4, **more}
    return scene.message(GATEWAY, AGENCY, type_, {"handoff_id": "h-1"}, **known)


def erase(scene: Scene, *, decided: bool = True, keep: int = 0) -> Scene:
    """The case's content goes, its leaves and receipts stay."""
    if decided:
        scene.decision(ERASED, REFERRAL, at=minutes(60 * 48))
    scene.messages = scene.messages[:keep]
    scene.erased_at = minutes(60 * 48)
    return scene


def replaced(raw: bytes, name: str, content: bytes) -> bytes:
    """The bundle with one member changed and nothing made to fit."""
    return write_bundle({**read_bundle(raw), name: content})


def directory_change(scene: Scene, kid: str, what: str, at: datetime) -> None:
    """A key is ended or revoked as of a moment, and the log has it."""
    scene.directory(kid, what, end_digest(kid, at), at=minutes(60 * 40))
