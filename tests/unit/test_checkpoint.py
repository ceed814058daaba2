"""Checkpoints as signed notes: published keys, notes and cosignatures, and every refusal by its own reason."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope import algorithms
from gateway.envelope.algorithms import Algorithm
from gateway.errors import CheckpointInvalid, ConfigError
from gateway.evidence.checkpoint import (
    MAX_SIGNATURES,
    Checkpoint,
    LogKey,
    NoteVerifier,
    cosign,
    open_note,
    read_cosignature,
    sign_checkpoint,
    unverified,
    with_cosignature,
)
from gateway.evidence.merkle import EMPTY_ROOT, leaf_hash

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "log" / "notes.json").read_text("utf-8"))
NOW = datetime(2026, 11, 3, 8, 0, 0, tzinfo=UTC)
ORIGIN = "cn/gateway/520000"
ROOT = leaf_hash(b"the only leaf")
DASH = "\u2014 "


def log_key(name: str = ORIGIN, seed: int = 1) -> LogKey:
    return LogKey(name=name, key=Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32)))


LOG, WITNESS, OTHER = log_key(), log_key("witness.example/w1", 2), log_key("witness.example/w2", 3)
CHECKPOINT = Checkpoint(origin=ORIGIN, size=1, root=ROOT)
NOTE = sign_checkpoint(CHECKPOINT, LOG)
BODY, LINE = NOTE.split("\n\n")
COSIGNED = NOTE + cosign(NOTE, WITNESS, now=NOW)


def named(vectors: list[dict[str, Any]], by: str = "source") -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=[vector[by] for vector in vectors])


def signature_in(line: str) -> bytes:
    return b64decode(line.split(" ")[2])[4:]


def reason_of(note: str, log: LogKey = LOG, witnesses: tuple[LogKey, ...] = (WITNESS,)) -> str:
    with pytest.raises(CheckpointInvalid) as caught:
        open_note(note, log.verifier(), [witness.cosigner() for witness in witnesses])
    return caught.value.note


def line_of(name: str, raw: bytes) -> str:
    return f"{DASH}{name} {b64encode(raw).decode()}\n"


def resigned(body: str) -> str:
    """A note over any text, signed by the log."""
    raw = LOG.verifier().key_hash + LOG.key.sign(body.encode())
    return f"{body}\n{line_of(ORIGIN, raw)}"


@named(VECTORS["notes"])
def test_a_published_signature_is_verified_with_its_published_key(vector: dict[str, Any]) -> None:
    verifier = NoteVerifier.from_vkey(vector["vkey"])
    assert vector["vkey"] == verifier.vkey()
    name, raw = vector["line"].removeprefix(DASH).split(" ")
    assert (verifier.name, verifier.key_hash) == (name, b64decode(raw)[:4])
    assert verifier.signed_at(vector["text"], signature_in(vector["line"])) is None
    with pytest.raises(CheckpointInvalid) as caught:
        verifier.signed_at(vector["text"] + "x\n", signature_in(vector["line"]))
    assert caught.value.note == "signature_wrong"


@named([vector for vector in VECTORS["notes"] if "seed" in vector])
def test_a_published_private_key_makes_the_published_signature(vector: dict[str, Any]) -> None:
    name = vector["vkey"].split("+")[0]
    key = LogKey(name=name, key=Ed25519PrivateKey.from_private_bytes(b64decode(vector["seed"])))
    assert vector["vkey"] == key.vkey()
    raw = key.verifier().key_hash + key.key.sign(vector["text"].encode())
    assert vector["line"] == line_of(name, raw)


@named(VECTORS["cosigned"])
def test_a_published_checkpoint_is_opened_with_its_witnesses(vector: dict[str, Any]) -> None:
    log = NoteVerifier.from_vkey(vector["log"])
    witnesses = [NoteVerifier.from_vkey(text) for text in vector["witnesses"]]
    assert vector["witnesses"] == [witness.vkey() for witness in witnesses]
    opened = open_note(vector["note"], log, witnesses)
    assert (vector["size"], log.name) == (opened.checkpoint.size, opened.checkpoint.origin)
    at = datetime.fromtimestamp(vector["at"], UTC)
    assert [(witness.name, at) for witness in witnesses] == list(opened.cosigned_by)
    assert () == open_note(vector["note"], log).cosigned_by
    with pytest.raises(CheckpointInvalid):
        open_note(vector["note"].replace(str(vector["size"]), str(vector["size"] + 1)), log, witnesses)


@named(VECTORS["refused_vkeys"])
def test_a_published_bad_key_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(CheckpointInvalid) as caught:
        NoteVerifier.from_vkey(vector["vkey"])
    assert vector["reason"] == caught.value.note


def test_no_part_of_a_verifier_key_is_a_verifier_key() -> None:
    """As golang.org/x/mod/sumdb/note tests it: no substring, and no spelling with one letter changed."""
    vkey = VECTORS["notes"][1]["vkey"]
    parts = {vkey[start:stop] for start in range(len(vkey)) for stop in range(start, len(vkey) + 1)} - {vkey}
    changed = {vkey[:at] + chr(ord(vkey[at]) + 1) + vkey[at + 1 :] for at in range(len(vkey))}
    for text in parts | changed:
        with pytest.raises(CheckpointInvalid):
            NoteVerifier.from_vkey(text)


@pytest.mark.parametrize(
    "vkey, reason",
    [
        ("", "vkey_form"),
        ("name", "vkey_form"),
        ("name+c74f20a3", "vkey_form"),
        ("two words+c74f20a3+ARpc", "vkey_form"),
        ("name+C74F20A3+ARpc", "vkey_form"),
        ("name+c74f20a3+ARp", "vkey_base64"),
        ("name+c74f20a3+ARpc\n", "vkey_base64"),
        ("name+c74f20a3+Affé", "vkey_base64"),
        ("name+c74f20a3+", "vkey_algorithm"),
        ("name+c74f20a3+Bhpc", "vkey_algorithm"),
        ("name+c74f20a3+ARpc", "vkey_length"),
        (LOG.vkey().replace(ORIGIN, "cn/gateway/530000"), "vkey_hash"),
        (LOG.vkey()[:-4] + "AAAA", "vkey_hash"),
    ],
)
def test_a_bad_verifier_key_is_refused_by_its_reason(vkey: str, reason: str) -> None:
    with pytest.raises(CheckpointInvalid) as caught:
        NoteVerifier.from_vkey(vkey)
    assert reason == caught.value.note


def test_a_checkpoint_is_three_lines_a_blank_one_and_a_signature() -> None:
    assert f"{ORIGIN}\n1\n{b64encode(ROOT).decode()}\n" == CHECKPOINT.body()
    assert NOTE.startswith(CHECKPOINT.body() + f"\n{DASH}{ORIGIN} ")
    assert NOTE.endswith("=\n")
    assert NOTE == sign_checkpoint(CHECKPOINT, LOG)
    opened = open_note(NOTE, NoteVerifier.from_vkey(LOG.vkey()))
    assert (CHECKPOINT, ()) == (opened.checkpoint, opened.cosigned_by)
    assert CHECKPOINT == unverified(NOTE)


def test_the_empty_log_has_a_checkpoint() -> None:
    empty = Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT)
    assert empty == open_note(sign_checkpoint(empty, LOG), LOG.verifier()).checkpoint


def test_a_log_that_began_anew_has_another_name_and_another_key_id() -> None:
    second = LOG.named(f"{ORIGIN}/2")
    assert second.key is LOG.key
    assert second.verifier().key_hash != LOG.verifier().key_hash
    again = sign_checkpoint(Checkpoint(origin=second.name, size=1, root=ROOT), second)
    assert open_note(again, second.verifier()).checkpoint.origin == f"{ORIGIN}/2"
    assert reason_of(again) == "origin"


def test_a_witness_says_when_it_saw_the_tree() -> None:
    opened = open_note(COSIGNED, LOG.verifier(), [WITNESS.cosigner(), OTHER.cosigner()])
    assert (("witness.example/w1", NOW),) == opened.cosigned_by
    assert WITNESS.cosigner().vkey().split("+")[2].startswith("B")
    assert NoteVerifier.from_vkey(WITNESS.cosigner().vkey()).is_cosigner


def test_the_cosigned_message_is_that_of_the_specification() -> None:
    line = cosign(NOTE, WITNESS, now=NOW)
    raw = signature_in(line)
    assert int(NOW.timestamp()) == int.from_bytes(raw[:8], "big")
    message = f"cosignature/v1\ntime {int(NOW.timestamp())}\n{CHECKPOINT.body()}"
    WITNESS.key.public_key().verify(raw[8:], message.encode())


@pytest.mark.parametrize(
    "line, reason",
    [
        (cosign(NOTE, OTHER, now=NOW), "unknown_key"),
        (cosign(NOTE, WITNESS, now=NOW)[:-2] + "\n", "signature_base64"),
        (line_of(WITNESS.name, WITNESS.cosigner().key_hash + bytes(72)), "cosignature_wrong"),
        (LINE, "no_cosignature"),
        ("", "signature_line"),
    ],
)
def test_a_line_alone_is_believed_for_one_checkpoint_and_one_witness(line: str, reason: str) -> None:
    known = [LOG.verifier(), WITNESS.cosigner()]
    assert (WITNESS.name, NOW) == read_cosignature(cosign(NOTE, WITNESS, now=NOW), CHECKPOINT, known)
    with pytest.raises(CheckpointInvalid) as caught:
        read_cosignature(line, CHECKPOINT, known)
    assert reason == caught.value.note
    other = Checkpoint(origin=ORIGIN, size=2, root=ROOT)
    with pytest.raises(CheckpointInvalid):
        read_cosignature(cosign(NOTE, WITNESS, now=NOW), other, known)


def test_lines_of_unknown_keys_are_kept_and_ignored() -> None:
    opened = open_note(COSIGNED, LOG.verifier(), [OTHER.cosigner()])
    assert () == opened.cosigned_by
    twice = with_cosignature(COSIGNED, cosign(NOTE, OTHER, now=NOW))
    assert twice.startswith(COSIGNED)
    assert (("witness.example/w2", NOW),) == open_note(twice, LOG.verifier(), [OTHER.cosigner()]).cosigned_by


def test_a_key_with_a_known_name_and_another_id_is_an_unknown_key() -> None:
    impostor = log_key(WITNESS.name, 9)
    note = with_cosignature(NOTE, cosign(NOTE, impostor, now=NOW))
    assert () == open_note(note, LOG.verifier(), [WITNESS.cosigner()]).cosigned_by


def test_a_plain_signature_is_no_cosignature() -> None:
    raw = WITNESS.verifier().key_hash + WITNESS.key.sign(CHECKPOINT.body().encode())
    note = NOTE + line_of(WITNESS.name, raw)
    assert () == open_note(note, LOG.verifier(), [WITNESS.cosigner()]).cosigned_by
    assert () == open_note(note, LOG.verifier(), [WITNESS.verifier()]).cosigned_by


def test_a_log_that_is_its_own_witness_has_still_to_sign() -> None:
    body_only = BODY + "\n\n" + cosign(NOTE, LOG, now=NOW)
    assert reason_of(body_only, witnesses=(LOG,)) == "not_signed_by_log"


def test_a_newer_cosignature_takes_the_place_of_the_older_one() -> None:
    later = with_cosignature(COSIGNED, cosign(NOTE, WITNESS, now=NOW + timedelta(hours=1)))
    assert len(later) == len(COSIGNED)
    opened = open_note(later, LOG.verifier(), [WITNESS.cosigner()])
    assert ((WITNESS.name, NOW + timedelta(hours=1)),) == opened.cosigned_by
    assert COSIGNED == with_cosignature(COSIGNED, cosign(NOTE, WITNESS, now=NOW).removesuffix("\n"))


def test_the_seventeenth_line_has_no_place() -> None:
    note = NOTE
    for number in range(MAX_SIGNATURES - 1):
        note = with_cosignature(note, cosign(NOTE, log_key(f"w{number}", 20 + number), now=NOW))
    assert open_note(note, LOG.verifier()).checkpoint == CHECKPOINT
    with pytest.raises(CheckpointInvalid) as caught:
        with_cosignature(note, cosign(NOTE, WITNESS, now=NOW))
    assert caught.value.note == "too_many_signatures"
    assert reason_of(note + cosign(NOTE, WITNESS, now=NOW)) == "too_many_signatures"


UNKNOWN = line_of("someone", b"\x00" * 68)
WRONG_TIME = WITNESS.cosigner().key_hash + (2**63).to_bytes(8, "big") + bytes(64)


@pytest.mark.parametrize(
    "note, reason",
    [
        ("", "no_final_newline"),
        (NOTE[:-1], "no_final_newline"),
        (NOTE.replace("\n", "\r\n"), "control_character"),
        ("\x00" + NOTE, "control_character"),
        (NOTE.replace("\n1\n", "\n1\t\n"), "control_character"),
        (NOTE.replace("520000", "52000\ud800"), "not_utf8"),
        ("x" * 1_000_001, "too_large"),
        ("衔" * 350_000, "too_large"),
        (BODY + "\n" + LINE, "no_blank_line"),
        (BODY + "\n", "no_blank_line"),
        (BODY + "\n\n", "no_signature"),
        (NOTE + "\n", "no_signature"),
        (BODY + "\n\n" + UNKNOWN, "not_signed_by_log"),
        (BODY + "\n\n" + LINE + LINE, "duplicate_signature"),
        (BODY + "\n\n" + LINE + UNKNOWN + UNKNOWN, "duplicate_signature"),
        (BODY + "\n\n" + LINE.replace(DASH, "- "), "signature_line"),
        (BODY + "\n\n" + LINE.replace(DASH, "\u2014"), "signature_line"),
        (NOTE + "an unexpected line\n", "signature_line"),
        (NOTE + DASH + "name\n", "signature_line"),
        (BODY + "\n\n" + LINE.replace(DASH, DASH + " "), "key_name"),
        (BODY + "\n\n" + LINE.replace("520000", "52\u3000000"), "key_name"),
        (BODY + "\n\n" + LINE.replace("520000", "52+000"), "key_name"),
        (BODY + "\n\n" + LINE.replace("=\n", "\n"), "signature_base64"),
        (BODY + "\n\n" + LINE.replace("=\n", "==\n"), "signature_base64"),
        (NOTE + DASH + "name Bad*\n", "signature_base64"),
        (NOTE + DASH + "name AAAAAA==\n", "signature_length"),
        (BODY + "\n\n" + line_of(ORIGIN, LOG.verifier().key_hash + bytes(63)), "signature_length"),
        (NOTE + line_of(WITNESS.name, WITNESS.cosigner().key_hash + bytes(64)), "signature_length"),
        (BODY + "\n\n" + line_of(ORIGIN, LOG.verifier().key_hash + bytes(64)), "signature_wrong"),
        (NOTE.replace("\n1\n", "\n2\n"), "signature_wrong"),
        (NOTE + line_of(WITNESS.name, WITNESS.cosigner().key_hash + bytes(72)), "cosignature_wrong"),
        (NOTE + line_of(WITNESS.name, WRONG_TIME), "cosignature_time"),
        (resigned(f"{ORIGIN}\n1\n"), "body_lines"),
        (resigned(f"{ORIGIN}\n\n{CHECKPOINT.body()}"), "body_lines"),
        ("\n\n" + LINE, "body_lines"),
        (resigned(CHECKPOINT.body() + "one more\n"), "extension_lines"),
        (resigned(CHECKPOINT.body().replace("520000", "530000")), "origin"),
        (resigned(CHECKPOINT.body().replace("520000", "52 000")), "origin"),
        (resigned(CHECKPOINT.body().replace("\n1\n", "\n01\n")), "size"),
        (resigned(CHECKPOINT.body().replace("\n1\n", "\n+1\n")), "size"),
        (resigned(CHECKPOINT.body().replace("\n1\n", "\n-1\n")), "size"),
        (resigned(CHECKPOINT.body().replace("\n1\n", "\n1 \n")), "size"),
        (resigned(CHECKPOINT.body().replace("\n1\n", "\n\uff11\n")), "size"),
        (resigned(CHECKPOINT.body().replace("\n1\n", "\n9223372036854775808\n")), "size"),
        (resigned(CHECKPOINT.body().replace("\n1\n", "\n0\n")), "root"),
        (resigned(f"{ORIGIN}\n1\n{b64encode(ROOT[:31]).decode()}\n"), "root"),
        (resigned(f"{ORIGIN}\n1\n{b64encode(ROOT + b'x').decode()}\n"), "root"),
        (resigned(f"{ORIGIN}\n1\n{ROOT.hex()}\n"), "root"),
        (resigned(f"{ORIGIN}\n1\n{b64encode(ROOT).decode().rstrip('=')}\n"), "root"),
    ],
)
def test_a_bad_note_is_refused_by_its_reason(note: str, reason: str) -> None:
    assert reason == reason_of(note)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(COSIGNED) - 1), st.characters(codec="utf-8"))
def test_no_changed_letter_leaves_a_believed_note(at: int, letter: str) -> None:
    """A change is refused, or it turns a line into one of an unknown key; never another checkpoint or another time."""
    changed = COSIGNED[:at] + letter + COSIGNED[at + 1 :]
    try:
        opened = open_note(changed, LOG.verifier(), [WITNESS.cosigner()])
    except CheckpointInvalid:
        return
    assert CHECKPOINT == opened.checkpoint
    assert opened.cosigned_by in ((), ((WITNESS.name, NOW),))
    assert opened.cosigned_by == () or changed == COSIGNED


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="\n\u2014 A=1/", max_size=60))
def test_no_text_is_more_than_refused(text: str) -> None:
    for found in (text, BODY + text, NOTE + text):
        try:
            opened = open_note(found, LOG.verifier(), [WITNESS.cosigner()])
        except CheckpointInvalid:
            continue
        assert CHECKPOINT == opened.checkpoint


@pytest.mark.parametrize("line", ["", "\n", "a line", LINE.strip() + "\n\n", LINE.strip() + "\n" + UNKNOWN])
def test_what_is_no_line_is_not_added(line: str) -> None:
    with pytest.raises(CheckpointInvalid):
        with_cosignature(NOTE, line)


def test_no_witness_signs_what_is_no_checkpoint() -> None:
    for note in ("", BODY, resigned(f"{ORIGIN}\n01\nAAAA\n")):
        with pytest.raises(CheckpointInvalid):
            cosign(note, WITNESS, now=NOW)


@pytest.mark.parametrize(
    "origin, size, root",
    [
        ("", 1, ROOT),
        ("two words", 1, ROOT),
        ("a+b", 1, ROOT),
        (ORIGIN, -1, ROOT),
        (ORIGIN, 1, b"short"),
        (ORIGIN, 0, ROOT),
    ],
)
def test_what_is_no_checkpoint_cannot_be_made(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(ValueError):
        Checkpoint(origin=origin, size=size, root=root)


def test_a_log_signs_only_under_its_own_name() -> None:
    with pytest.raises(ValueError, match="own name"):
        sign_checkpoint(CHECKPOINT, WITNESS)


def test_a_log_key_is_kept_as_pem() -> None:
    key = LogKey.generate(ORIGIN)
    again = LogKey.from_pem(key.to_pem(), ORIGIN)
    assert key.vkey() == again.vkey()
    assert key.to_pem() == again.to_pem()
    assert key.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) == key.to_pem()
    assert "key=" not in repr(key)
    assert key.vkey() != LogKey.generate(ORIGIN).vkey()


def test_another_kind_of_key_signs_no_log() -> None:
    with pytest.raises(ConfigError):
        LogKey.from_pem(algorithms.pem_of(algorithms.generate(Algorithm.ES256)), ORIGIN)
    with pytest.raises(ConfigError):
        LogKey.from_pem(b"nothing", ORIGIN)
