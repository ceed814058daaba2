"""存证日志 `log`: how the log stands, what it holds about an id, and the note partners get."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.evidence.checkpoint import Checkpoint, LogKey, NoteVerifier, cosign, open_note, sign_checkpoint
from gateway.evidence.merkle import leaf_hash, verify_inclusion
from gateway.flows.log import take_cosignatures
from gateway.store import checkpoints, log
from gateway.store import tables as t
from tests.cli.installed import COURT, GATEWAY, Installed
from tests.gateway_world import START


@pytest.fixture
def signed(installed: Installed) -> Iterator[Installed]:
    sign(installed)
    yield installed


def sign(installed: Installed) -> str:
    """What the sequencer does."""
    with installed.context() as context:
        with context.store.reading() as connection:
            head = log.head(connection)
        assert context.log_key is not None
        tree = Checkpoint(origin=context.origin(head.epoch), size=head.size, root=head.root)
        note = sign_checkpoint(tree, context.log_key.named(tree.origin))
        made = {"epoch": head.epoch, "size": head.size, "root": head.root, "note": note, "fence": 1, "now": START}
        context.store.write(lambda connection: checkpoints.put(connection, **made))
    return note


def change(installed: Installed, statement: sa.Executable) -> None:
    with installed.context() as context:
        context.store.write(lambda connection: connection.execute(statement))


def test_the_status_before_anything_was_signed(installed: Installed) -> None:
    found = installed.json("log", "status")
    assert (GATEWAY, 1, False, None, {}) == (
        found["origin"],
        found["epoch"],
        found["recovering"],
        found["checkpoint"],
        found["witnesses"],
    )
    assert found["size"] == found["unsigned"] > 5
    said = installed.done("log", "status").stdout
    assert "尚无 none yet" in said
    assert found["root"] in said
    result = installed.run("log", "checkpoint")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "no checkpoint yet" in result.stderr


def test_the_status_tells_checkpoint_age_key_and_witnesses(installed: Installed) -> None:
    witness = LogKey.generate("witness.example/w1")
    text = installed.config_path.read_text(encoding="utf-8")
    vkey = witness.cosigner().vkey()
    installed.config_path.write_text(text.replace("demo = true", f'demo = true\nwitnesses = ["{vkey}"]'), "utf-8")
    note = sign(installed)
    found = installed.json("log", "status")
    assert {witness.name: None} == found["witnesses"]
    assert (found["size"], 0) == (found["checkpoint"], found["unsigned"])
    assert found["age_seconds"] >= 0
    with installed.context() as context:
        take_cosignatures(context, [cosign(note, witness, now=START).strip()], now=START)
    assert {witness.name: found["size"]} == installed.json("log", "status")["witnesses"]
    printed = installed.done("log", "checkpoint").stdout
    opened = open_note(printed, NoteVerifier.from_vkey(found["vkey"]), [witness.cosigner()])
    assert (found["size"], found["root"]) == (opened.checkpoint.size, opened.checkpoint.root.hex())
    assert ((witness.name, START),) == opened.cosigned_by
    assert f"已签至 up to {found['size']}" in installed.done("log", "status").stdout


def test_a_log_in_recovery_says_so(signed: Installed) -> None:
    change(signed, t.log_head.update().values(recovering_since=1))
    assert signed.json("log", "status")["recovering"]
    assert "in recovery" in signed.done("log", "status").stdout


def test_the_leaves_about_an_id_come_with_a_proof_anybody_can_check(signed: Installed) -> None:
    found: list[dict[str, Any]] = signed.json("log", "entry", COURT)
    assert "party_added" in [one["entry"]["what"] for one in found]
    assert "key_registered" in [one["entry"]["what"] for one in signed.json("log", "entry", _a_kid(signed))]
    for one in found:
        raw = json.dumps(one["entry"], sort_keys=True, separators=(",", ":")).encode()
        assert leaf_hash(raw).hex() == one["leaf_hash"]
        proof = [bytes.fromhex(value) for value in one["proof"]]
        root = bytes.fromhex(one["root"])
        assert verify_inclusion(leaf_hash(raw), index=one["index"], size=one["size"], proof=proof, root=root)
    said = signed.done("log", "entry", COURT).stdout
    assert "成立 holds in" in said
    assert '"what":"party_added"' in said


def test_an_id_that_begins_with_a_dash_is_an_id(signed: Installed) -> None:
    assert signed.json("log", "entry", "-fingerprint") == []


def test_a_leaf_that_no_checkpoint_covers_is_shown_as_such(installed: Installed) -> None:
    result = installed.done("log", "entry", COURT)
    assert "待签 not signed yet" in result.stdout
    assert {None} == {one["proof"] for one in installed.json("log", "entry", COURT)}


def test_a_leaf_that_was_changed_does_not_hold(signed: Installed) -> None:
    change(signed, t.log_leaves.update().where(t.log_leaves.c.ref == COURT).values(entry="{}"))
    result = signed.run("log", "entry", COURT)
    assert 1 == result.exit_code
    assert "不成立 does not hold" in result.stdout


def test_an_id_the_log_does_not_know_is_no_success(signed: Installed) -> None:
    result = signed.run("log", "entry", "nobody")
    assert 1 == result.exit_code
    assert "nothing in the log has this id" in result.stdout
    assert [] == signed.json("log", "entry", "nobody")


def _a_kid(installed: Installed) -> str:
    return str(next(one["kid"] for one in installed.json("keys", "list") if one["party_id"] == COURT))
