"""The offline verifier: every named bundle of tests/vectors is judged as its folder says, and strangers' bytes never
make it fall over."""

import json
import random
import re
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.envelope import strict_json
from gateway.errors import ConfigError
from gateway.evidence import bundle
from gateway.evidence.bundle import read_bundle
from gateway.evidence.contents import read_contents
from gateway.evidence.summary import render_page, render_plain
from gateway.evidence.verifier.conclusions import Conclusions, Standing, table
from gateway.evidence.verifier.trust import Trusted, read_trusted_keys
from gateway.evidence.verifier.verify import Verification, verify_bundle
from schemas.fields import format_moment
from tests.architecture.sources import ROOT
from tests.bundle_builder import (
    COURT,
    GATEWAY,
    KEYS,
    MADE_AT,
    REFERRAL,
    START,
    VECTORS,
    WITNESS,
    Scene,
    Vector,
    brief,
    fixed_log_key,
    honest,
    minutes,
)
from tests.bundle_vectors import every_vector

FOLDERS = sorted(path.name for path in VECTORS.iterdir() if path.name.endswith(("_fail", "_pass")))
LEAST_BROKEN = 40
ELSEWHERE = {
    "bundle_too_large": "test_bundle: 32 MiB are not committed",
    "zip_too_many_members": "test_bundle",
    "member_encrypted": "test_bundle",
    "json_syntax": "below",
    "json_float": "below",
    "json_integer_out_of_range": "below",
    "json_not_a_number": "below",
    "json_lone_surrogate": "below",
    "key_unreadable": "below",
    "party_unknown": "key_party_unknown is found before",
}
"""Refutations without a folder of their own, and where they are shown."""


def judge(folder: Path) -> tuple[dict[str, Any], Verification]:
    """What is expected of a committed bundle, and what the verifier says."""
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    keys = read_trusted_keys((folder / expected["keys"]).read_bytes()) if "keys" in expected else ()
    note = (folder / expected["checkpoint"]).read_text(encoding="utf-8") if "checkpoint" in expected else None
    trusted = Trusted(keys=keys, vkeys=tuple(expected.get("vkeys", ())), checkpoint=note)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile warns of the name that is there twice
        return expected, verify_bundle((folder / "bundle.zip").read_bytes(), trusted)


def codes(found: Verification, standing: Standing) -> list[str]:
    """The codes of one standing, in order."""
    return [conclusion.code for conclusion in found.of(standing)]


def refuted(raw: bytes, trusted: Trusted | None = None) -> list[tuple[str, str]]:
    """What is refuted of a bundle."""
    found = verify_bundle(raw, trusted or Trusted())
    return [(conclusion.code, conclusion.subject) for conclusion in found.of(Standing.REFUTED)]


@pytest.fixture(scope="module")
def vectors() -> dict[str, Vector]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return every_vector()


@pytest.mark.parametrize("name", [name for name in FOLDERS if name.endswith("_fail")])
def test_a_broken_bundle_is_refused_for_its_own_reason(name: str) -> None:
    expected, found = judge(VECTORS / name)
    first, *rest = found.of(Standing.REFUTED)
    assert (expected["code"], expected["subject"]) == (first.code, first.subject)
    assert expected["also"] == [conclusion.code for conclusion in rest]
    assert not found.holds


@pytest.mark.parametrize("name", [name for name in FOLDERS if name.endswith("_pass")])
def test_an_honest_bundle_is_not_refused_and_what_is_open_is_told(name: str) -> None:
    expected, found = judge(VECTORS / name)
    assert codes(found, Standing.REFUTED) == []
    assert set(expected["open"]) <= set(codes(found, Standing.OPEN))
    assert found.holds


def test_building_the_bundles_again_gives_the_committed_bytes(vectors: dict[str, Vector]) -> None:
    assert sorted(vectors) == FOLDERS
    differ = [
        f"{name}/{file}"
        for name, vector in vectors.items()
        for file, content in vector.files().items()
        if not (VECTORS / name / file).is_file() or (VECTORS / name / file).read_bytes() != content
    ]
    assert differ == [], "run: python -m tests.bundle_builder --write"


def test_at_least_forty_bundles_are_broken_each_in_its_own_way(vectors: dict[str, Vector]) -> None:
    reasons = [
        (vector.expected["code"], vector.expected["subject"])
        for name, vector in vectors.items()
        if name.endswith("_fail")
    ]
    assert len(reasons) >= LEAST_BROKEN
    assert len(set(reasons)) == len(reasons)


def test_every_refutation_there_is_has_a_bundle_that_earns_it(vectors: dict[str, Vector]) -> None:
    shown = {vector.expected["code"] for vector in vectors.values()} | ELSEWHERE.keys()
    missing = [code for code, words in table().items() if words.standing is Standing.REFUTED and code not in shown]
    assert missing == []
    assert [code for code in ELSEWHERE if code not in table()] == []


def test_every_code_in_the_source_has_words_and_every_word_a_code() -> None:
    folder = ROOT / "gateway" / "evidence"
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))
    named = set(re.findall(r'(?:_broken|BundleBroken|found\.add)\(\s*"(\w+)"', source))
    assert sorted(named - table().keys()) == []
    unused = [code for code in table() if f'"{code}"' not in source and not code.startswith(("json_", "key_"))]
    assert unused == []


def test_the_words_are_filled_in_both_languages(vectors: dict[str, Vector]) -> None:
    for name in FOLDERS:
        _, found = judge(VECTORS / name)
        for conclusion in found.conclusions:
            assert "{" not in conclusion.zh + conclusion.en
            assert re.search("[\u4e00-\u9fff]", conclusion.zh)
            assert conclusion.en


# --- what is proven, what is open ---


def test_a_whole_case_is_told_rung_by_rung() -> None:
    _, found = judge(VECTORS / "whole_case_pass")
    handoff = honest().said["handoff"].id
    told = {
        c.subject.removeprefix(handoff).strip(): c.code for c in found.of(Standing.PROVEN) if c.code.startswith("rung_")
    }
    assert told == {
        "submission": "rung_reached",
        "relay": "rung_superseded",
        "retrieval": "rung_reached",
        "disposition": "rung_reached",
        "outcome": "rung_reached",
    }
    assert "rung_open" not in codes(found, Standing.OPEN)


def test_what_the_agency_has_not_said_is_open_not_refuted() -> None:
    _, found = judge(VECTORS / "just_handed_over_pass")
    open_ = [c.subject.split()[-1] for c in found.of(Standing.OPEN) if c.code == "rung_open"]
    assert open_ == ["delivery", "retrieval", "disposition", "outcome"]


def test_a_negative_receipt_that_nothing_superseded_is_told_as_such() -> None:
    scene = brief()
    scene.receipt(scene.said["handoff"], "disposition", "timeout", at=minutes(2200), body={"reason_code": "limit_T05"})
    found = verify_bundle(scene.build())
    assert found.holds
    assert "rung_negative" in codes(found, Standing.PROVEN)


def test_a_referral_that_went_nowhere_is_told_as_such() -> None:
    scene = brief(handoff={"logged": False, "filed": False}, relay={"logged": False, "filed": False})
    found = verify_bundle(scene.build())
    assert found.holds
    assert "no_handoff" in codes(found, Standing.OPEN)


def test_pinned_keys_log_and_checkpoint_leave_no_doubt_whose_they_are() -> None:
    _, found = judge(VECTORS / "everything_pinned_pass")
    assert {"keys_pinned", "log_key_pinned", "given_checkpoint_confirmed"} <= set(codes(found, Standing.PROVEN))
    assert {"keys_self_declared", "log_key_self_declared"}.isdisjoint(codes(found, Standing.OPEN))


def test_a_checkpoint_of_another_size_is_linked_where_the_bundle_proves_it() -> None:
    scene = brief()
    old = scene.said["referral"].index  # the tree before the referral: its receipt told of it
    scene.size = old
    note = scene.checkpoint()
    scene.size = None
    raw = scene.build()
    assert "given_checkpoint_confirmed" in codes(verify_bundle(raw, Trusted(checkpoint=note)), Standing.PROVEN)
    scene.size = old + 2
    unlinked = verify_bundle(raw, Trusted(checkpoint=scene.checkpoint()))
    assert "given_checkpoint_unlinked" in codes(unlinked, Standing.OPEN)


def test_a_pinned_revocation_counts_though_the_bundle_does_not_know_it() -> None:
    raw = brief().build()
    keys = strict_json.loads(read_bundle(raw)[bundle.KEYS])
    for row in keys["keys"]:
        if row["party"] == COURT:
            row["revoked_at"] = format_moment(START - timedelta(days=1))
    pinned = read_trusted_keys(strict_json.dumps(keys))
    assert refuted(raw, Trusted(keys=pinned)) == [("key_revoked", "messages/001.jws")]


def test_keys_of_some_parties_leave_the_others_open() -> None:
    row = {**KEYS[COURT].public_jwk(), "party": COURT}
    found = verify_bundle(brief().build(), Trusted(keys=read_trusted_keys(strict_json.dumps({"keys": [row]}))))
    assert [c.subject for c in found.of(Standing.PROVEN) if c.code == "keys_pinned"] == [COURT]
    assert COURT not in [c.subject for c in found.of(Standing.OPEN) if c.code == "keys_self_declared"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"keys":1}', '{"keys":[1]}', '{"keys":[{"kty":"OKP"}]}', "{", "\ufeff{}"]
)
def test_pinned_keys_that_are_none_are_the_callers_mistake(text: str) -> None:
    with pytest.raises(ConfigError):
        read_trusted_keys(text.encode())


def test_a_pinned_log_key_that_is_none_is_the_callers_mistake() -> None:
    with pytest.raises(ConfigError):
        verify_bundle(brief().build(), Trusted(vkeys=("nonsense",)))


def test_a_log_that_began_anew_leaves_its_older_receipts_open() -> None:
    scene = brief(referral_receipt={"place": {"origin": GATEWAY}})
    scene.epoch = 2
    scene.heads = set()
    found = verify_bundle(scene.build())
    assert codes(found, Standing.REFUTED) == []
    assert "receipt_of_earlier_epoch" in codes(found, Standing.OPEN)


def test_the_logs_key_is_the_same_in_every_epoch() -> None:
    scene = brief()
    scene.epoch = 2
    found = verify_bundle(scene.build(), Trusted(vkeys=(fixed_log_key(GATEWAY).vkey(),)))
    assert "log_key_pinned" in codes(found, Standing.PROVEN)


def test_receipts_and_keys_from_before_the_log_are_open() -> None:
    scene = brief(referral_receipt={"placed": False}, court_key={"logged": False})
    found = verify_bundle(scene.build())
    assert codes(found, Standing.REFUTED) == []
    assert {"receipt_without_place", "key_not_logged"} <= set(codes(found, Standing.OPEN))


def test_a_checkpoint_older_than_a_receipt_leaves_it_open() -> None:
    scene = honest()
    scene.size = 10
    found = verify_bundle(scene.build())
    assert codes(found, Standing.REFUTED) == []
    assert {"checkpoint_older_than_receipt", "leaf_after_checkpoint"} <= set(codes(found, Standing.OPEN))


def test_what_was_on_file_before_the_log_may_stand_in_another_order() -> None:
    unplaced = brief(referral_receipt={"placed": False})
    live = brief()
    order = [0, 1, 2, 4, 7, 5, 6]  # keys, then the inbox, then the outbox: as an older database is taken over
    for made in (unplaced, live):
        made.log = [made.log[index] for index in order]
        made.told = list(range(len(order)))
        made.heads = set()
    assert codes(verify_bundle(unplaced.build()), Standing.REFUTED) == []
    assert codes(verify_bundle(live.build()), Standing.REFUTED)


# --- what strangers may write ---


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "json_syntax"),
        (b'{"attempts":[1.5]}', "json_float"),
        (b'{"attempts":[9007199254740993]}', "json_integer_out_of_range"),
        (b'{"attempts":[NaN]}', "json_not_a_number"),
        (b'{"attempts":["\\ud800"]}', "json_lone_surrogate"),
        (b'{"attempts":null}', "shape_wrong"),
        (b"[" * 1_000_000, "json_too_deep"),
    ],
)
def test_json_that_is_none_is_refused_by_its_rule(content: bytes, code: str) -> None:
    raw = brief().build(members=lambda files: files.update({bundle.ATTEMPTS: content}))
    ((found, subject),) = refuted(raw)
    assert (found, subject.partition("/")[0]) == (code, bundle.ATTEMPTS)


def test_a_key_that_is_no_point_of_its_curve_is_refused() -> None:
    def members(files: dict[str, bytes]) -> None:
        keys = strict_json.loads(files[bundle.KEYS])
        keys["keys"][0]["jwk"] = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}
        files[bundle.KEYS] = strict_json.dumps(keys)

    assert refuted(brief().build(members=members)) == [("key_unreadable", f"{bundle.KEYS} {KEYS[GATEWAY].kid}")]


def test_what_stands_in_a_conclusion_cannot_pretend_to_be_more() -> None:
    found = Conclusions()
    found.add("member_unknown", "a\nproven\u202e" + "x" * 500)
    (conclusion,) = found.all()
    assert conclusion.subject.startswith("a\ufffdproven\ufffd")
    assert len(conclusion.subject) == 200
    assert conclusion.zh.isprintable() and conclusion.en.isprintable()


_PLACED: list[Any] = [
    *(None, True, -1, 0, 1, 2**53 - 1, "", "x", [], {}, [[]], {"a": 1}, "\u202e", "{0}{x}"),
    *("9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00+23:59", "a" * 64, "A" * 43 + "="),
    *(COURT, "messages/001.jws", REFERRAL),
]


def _values(chance: random.Random) -> Iterator[Any]:
    while True:
        yield chance.choice(_PLACED)


def _spoilt(value: Any, chance: random.Random, values: Iterator[Any]) -> Any:
    """The value with one place in it changed, doubled or taken away."""
    if isinstance(value, dict) and value:
        name = chance.choice(list(value))
        return {**value, name: _spoilt(value[name], chance, values)}
    if isinstance(value, list) and value:
        at = chance.randrange(len(value))
        match chance.randrange(4):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return [*value, value[at]]
            case _:
                return [*value[:at], _spoilt(value[at], chance, values), *value[at + 1 :]]
    return next(values)


def test_nothing_a_stranger_writes_into_a_member_makes_it_fall_over() -> None:
    chance = random.Random(3)
    values = _values(chance)
    members = (
        bundle.ATTEMPTS,
        bundle.DECISIONS,
        bundle.ENTRIES,
        bundle.KEYS,
        bundle.PARTICIPANTS,
        bundle.PROOFS,
        bundle.READINGS,
    )
    scene = honest()
    for _ in range(300):
        name = chance.choice(members)

        def spoil(files: dict[str, bytes], name: str = name) -> None:
            files[name] = strict_json.dumps(_spoilt(strict_json.loads(files[name]), chance, values))

        verify_bundle(scene.build(members=spoil))


def test_nothing_a_stranger_signs_makes_it_fall_over() -> None:
    chance = random.Random(4)
    values = _values(chance)
    for step in ("referral", "handoff", "answer"):
        for _ in range(60):
            fields = {
                "data": _spoilt({"referral_id": REFERRAL, "decided_amount_fen": 1, "case_number": "1"}, chance, values)
            }
            verify_bundle(honest(**{step: fields}).build(paged=True))


def test_nothing_in_the_manifest_makes_it_fall_over() -> None:
    chance = random.Random(5)
    values = _values(chance)
    scene = brief()
    names = ["referral_id", "gateway", "origin", "epoch", "tree_size", "made_at", "export", "page", "erased_at", "x"]
    for name in names:
        for _ in range(25):
            assert verify_bundle(scene.build(manifest={name: next(values)})).conclusions


# --- the pages ---


def _paged(scene: Scene) -> tuple[str, str]:
    files = read_bundle(scene.build(paged=True))
    return files[bundle.PAGE].decode(), files[bundle.PLAIN].decode()


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    page, _ = _paged(honest())
    assert (
        re.search(r"<(script|link|img|iframe|object|embed|form)|https?:|//|url\(|@import|javascript:| on\w+=", page)
        is None
    )


def test_what_people_typed_is_shown_and_not_obeyed() -> None:
    scene = honest(decision={"after": None})
    scene.parts = {"who": "<script>alert(1)</script>", "why": "a\u202eb\nc<b>"}
    page, plain = _paged(scene)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; · a\ufffdb\ufffdc&lt;b&gt;" in page
    assert "a\ufffdb\ufffdc<b>" in plain


def test_the_page_names_no_person() -> None:
    body = {"referral_id": REFERRAL, "person": {"name": "金丝雀甲", "id_number": "529999199001010019"}}
    page, plain = _paged(honest(referral={"data": body}))
    assert "金丝雀甲" not in page + plain
    assert "529999199001010019" not in page + plain


def test_both_pages_tell_the_ladder_the_amounts_and_what_is_open() -> None:
    page, plain = _paged(brief())
    for text in (page, plain):
        assert "20,000.00" in text
        assert "尚无送达、签收、受理意见、办理结果证据" in text
        assert "no evidence of delivery, retrieval, disposition, outcome yet" in text
        assert f"需求 {REFERRAL}:1 MLG:已转办。" in text
    page, plain = _paged(honest())
    for text in (page, plain):
        assert "600.00" in text
        assert "2026-04-01 → 2027-03-31" in text
        assert "已被取代" in text
        assert f"需求 {REFERRAL}:1 MLG:" not in text


def test_the_pages_of_a_case_of_the_end_of_time_can_be_made() -> None:
    files = read_bundle(brief().build())
    manifest = strict_json.loads(files[bundle.MANIFEST])
    manifest["made_at"] = "9999-12-31T23:59:59.999Z"
    contents = read_contents({**files, bundle.MANIFEST: strict_json.dumps(manifest)})
    assert "9999-12-31T23:59:59.999000+00:00" in render_page(contents).decode()
    assert render_plain(contents)


def test_the_fingerprint_is_what_sha256sum_would_give() -> None:
    found = verify_bundle(honest().build(paged=True))
    assert found.fingerprint in _paged(honest())[0]
    assert found.referral_id == REFERRAL


def test_the_witness_is_named_with_its_time() -> None:
    found = verify_bundle(brief().build())
    (conclusion,) = [c for c in found.of(Standing.PROVEN) if c.code == "checkpoint_cosigned"]
    assert conclusion.subject == WITNESS.name
    assert format_moment(MADE_AT) in conclusion.en
