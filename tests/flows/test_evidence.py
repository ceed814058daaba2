"""One referral's evidence, from the store to the verifier's verdict: an honest case holds, and whatever somebody with
the database's password deletes or changes is told by the verifier, or the export refuses."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.agreement import PartyKind
from gateway.domain.replies import ReplyCode
from gateway.envelope import strict_json
from gateway.envelope.compact import decode_segment, split
from gateway.envelope.signing import RECEIPT_TYP, sign
from gateway.errors import (
    ConfigError,
    EvidenceDamaged,
    EvidenceNotReady,
    InvalidQuery,
    ReferralUnknown,
    XianjieError,
)
from gateway.evidence import bundle
from gateway.evidence.bundle import read_bundle
from gateway.evidence.checkpoint import unverified
from gateway.evidence.verifier.conclusions import Standing
from gateway.evidence.verifier.trust import Trusted, read_trusted_keys
from gateway.evidence.verifier.verify import Verification, verify_bundle
from gateway.flows.accept import accept
from gateway.flows.evidence import OVER_HTTP, WHAT, asking_court, export
from gateway.flows.operate import release, send_again
from gateway.store import checkpoints, decisions, directory, vault
from gateway.store import tables as t
from gateway.store.adopt import adopt
from gateway.transport.answer import NoAnswer, NoAnswerReason
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, NEIGHBOUR, World
from tests.log_world import LogWorld
from tests.recovery_world import KeepingWorld

CANARY = "金丝雀甲"


def busy(world: World) -> LogWorld:
    """A referral that was relayed late, opened, granted and paid; another one beside it; everything signed."""
    logged = LogWorld(world)
    world.context = logged.context
    office = world.offices[CIVIL_AFFAIRS]
    world.refer(person={**a_person(), "name": CANARY})
    world.dispatch()
    office.fault = _unreachable
    world.deliver()
    world.wait(timedelta(minutes=10))
    office.fault = None
    world.refer(referral_id="r-2", case_number="（2026）黔01司救执2号", person=a_person(2), **OTHER)
    world.dispatch()
    world.deliver()
    world.deliver()
    mine = next(message for message in office.received if message.envelope.subject == "r-1")
    world.accept(world.reply(CIVIL_AFFAIRS, mine, "handoff.retrieved", {}))
    world.answer(mine, "40", xj_amount="650.00", abaf0028="202603", abaf0029="202612", xj_payee="1")
    world.accept(world.court.sign("judicial_assistance.paid", PAYMENT, now=world.now))
    logged.sign()
    return logged


OTHER = {"original_case_group": "（2025）黔0102民初2号"}
PAYMENT = {
    "referral_id": "r-1",
    "payment_id": "p-1",
    "amount_fen": 2_000_000,
    "paid_on": "2026-03-02",
    "payee": "BENEFICIARY",
}


def _unreachable(_: bytes) -> Any:
    raise NoAnswer(NoAnswerReason.NO_CONNECTION, may_have_arrived=False)


def a_person(serial: int = 1) -> dict[str, Any]:
    return {
        "name": "测试乙",
        "id_type": "111",
        "id_number": an_id_number(serial=serial),
        "sex": "2",
        "birth_date": "1986-01-01",
        "phone": "13900000001",
        "household_registration_region": "520102",
        "residence": "测试路2号",
    }


def exported(logged: LogWorld, referral_id: str = "r-1", **more: Any) -> bytes:
    """For the court, over HTTP."""
    return export(logged.context, referral_id, who=COURT, why=OVER_HTTP, now=logged.world.now, court=COURT, **more)


def judged(logged: LogWorld, referral_id: str = "r-1", **more: Any) -> Verification:
    """What the verifier says of it, with every key and the checkpoint known from elsewhere."""
    return verify_bundle(exported(logged, referral_id, **more), trusted(logged))


def trusted(logged: LogWorld) -> Trusted:
    return Trusted(keys=logged.world.context.snapshot(logged.world.now).keys, vkeys=(logged.key.vkey(),))


def refuted(found: Verification) -> list[str]:
    return [conclusion.code for conclusion in found.of(Standing.REFUTED)]


def codes(found: Verification, standing: Standing) -> set[str]:
    return {conclusion.code for conclusion in found.of(standing)}


@pytest.fixture
def case(world: World) -> LogWorld:
    return busy(world)


@pytest.fixture
def sqlite_case(sqlite_world: World) -> LogWorld:
    return busy(sqlite_world)


# --- honest ---


def test_an_honest_case_is_proven_rung_by_rung_on_both_engines(case: LogWorld) -> None:
    found = judged(case)
    assert refuted(found) == []
    proven = codes(found, Standing.PROVEN)
    assert {"manifest_sealed", "checkpoint_signed", "leaves_included", "heads_consistent", "pages_true"} <= proven
    assert {"keys_pinned", "log_key_pinned", "key_logged", "message_proven", "receipt_proven"} <= proven
    rungs = [c.subject.split()[-1] for c in found.of(Standing.PROVEN) if c.code == "rung_reached"]
    assert rungs == ["submission", "relay", "retrieval", "disposition", "outcome"]
    assert {"attempts_told", "readings_told", "omission_not_excluded"} == codes(found, Standing.OPEN)


def test_the_bundle_holds_every_message_of_the_case_and_none_of_another(case: LogWorld) -> None:
    files = read_bundle(exported(case))
    of_case = [row for row in case.world.rows(t.inbox) if row["subject"] == "r-1"]
    sent = [row for row in case.world.rows(t.outbox) if row["referral_id"] == "r-1"]
    assert len([name for name in files if name.startswith("messages/")]) == len(of_case) + len(sent) == 5
    assert "r-2" not in b"".join(content for name, content in files.items() if name.endswith(".json")).decode()


def test_the_same_moment_gives_the_same_evidence(sqlite_case: LogWorld) -> None:
    first, second = judged(sqlite_case), judged(sqlite_case)
    assert first.fingerprint != second.fingerprint  # the first export is evidence in the second
    assert refuted(second) == []


def test_a_referral_that_was_only_submitted_is_proven_as_far_as_it_goes(sqlite_world: World) -> None:
    logged = LogWorld(sqlite_world)
    sqlite_world.refer()
    logged.sign()
    found = verify_bundle(exported(logged))
    assert refuted(found) == []
    assert {"no_handoff", "keys_self_declared", "log_key_self_declared"} <= codes(found, Standing.OPEN)


def test_a_withdrawn_referral_and_a_released_hold_are_told(sqlite_world: World) -> None:
    logged = LogWorld(sqlite_world)
    world = sqlite_world
    world.refer()
    world.refer(referral_id="r-9", case_number="（2026）黔01司救执9号")
    release(world.context, "r-9", who="测试员", why="另一原案件", now=world.now)
    world.dispatch()
    world.deliver()
    world.accept(world.court.sign("referral.withdrawn", {"referral_id": "r-9", "reason": "测试"}, now=world.now))
    logged.sign()
    found = judged(logged, "r-9")
    assert refuted(found) == []
    told = [c.en for c in found.of(Standing.PROVEN) if c.code == "decision_proven"]
    assert any("hold_released" in text for text in told)


def test_a_denial_that_was_refused_is_no_evidence_and_spoils_none(sqlite_case: LogWorld) -> None:
    world = sqlite_case.world
    mine = next(m for m in world.offices[CIVIL_AFFAIRS].received if m.envelope.subject == "r-1")
    with pytest.raises(XianjieError):
        world.answer(mine, "31")
    sqlite_case.sign_again()
    assert "denied_without_reason" in {row["problem"] for row in world.rows(t.replies)}
    assert refuted(judged(sqlite_case)) == []


def test_what_timed_out_and_came_later_is_told_as_superseded(sqlite_world: World) -> None:
    logged = LogWorld(sqlite_world)
    world = sqlite_world
    world.refer()
    world.dispatch()
    office = world.offices[CIVIL_AFFAIRS]
    office.fault = _unreachable
    for _ in range(12):
        world.deliver()
        world.wait(timedelta(days=2))
    office.fault = None
    (parked,) = [row for row in world.rows(t.outbox) if row["state"] == "parked"]
    logged.sign()
    assert "rung_negative" in codes(judged(logged), Standing.PROVEN)
    send_again(world.context, [parked["message_id"]], who="测试员", why="对方已恢复", now=world.now)
    world.deliver()
    logged.sign()
    found = judged(logged)
    assert refuted(found) == []
    assert "rung_superseded" in codes(found, Standing.PROVEN)


def test_the_pages_name_no_person(sqlite_case: LogWorld) -> None:
    files = read_bundle(exported(sqlite_case))
    others = b"".join(content for name, content in files.items() if not name.startswith("messages/")).decode()
    for word in (CANARY, an_id_number(), "13900000001", "测试路2号"):
        assert word not in others


def test_leaves_that_no_checkpoint_covers_yet_are_open(sqlite_case: LogWorld) -> None:
    assert refuted(judged(sqlite_case)) == []
    assert "leaf_after_checkpoint" in codes(judged(sqlite_case), Standing.OPEN)  # the export before it


def test_a_checkpoint_kept_elsewhere_is_proven_to_be_the_beginning(sqlite_case: LogWorld) -> None:
    kept = sqlite_case.sign_again()
    sqlite_case.sign_again()
    raw = exported(sqlite_case, witnessed=[unverified(kept).size])
    found = verify_bundle(raw, replace(trusted(sqlite_case), checkpoint=kept))
    assert "given_checkpoint_confirmed" in codes(found, Standing.PROVEN)
    assert "given_checkpoint_unlinked" in codes(
        verify_bundle(exported(sqlite_case), replace(trusted(sqlite_case), checkpoint=kept)), Standing.OPEN
    )


def test_a_witness_that_cosigned_is_in_the_bundle(sqlite_case: LogWorld) -> None:
    note = sqlite_case.sign_again()
    line = sqlite_case.cosign(note)
    size, world = unverified(note).size, sqlite_case.world
    world.store.write(
        lambda c: checkpoints.put_cosignature(
            c, epoch=1, size=size, witness=sqlite_case.witness.name, line=line, now=world.now
        )
    )
    found = judged(sqlite_case)
    assert [c.subject for c in found.of(Standing.PROVEN) if c.code == "checkpoint_cosigned"] == [
        sqlite_case.witness.name
    ]


def test_an_erased_case_still_verifies_and_says_so(sqlite_case: LogWorld) -> None:
    world = sqlite_case.world

    def erase(connection: sa.Connection) -> None:
        decisions.put(connection, who="测试员", what="case_erased", subject="r-1", why="期满", now=world.now)
        assert vault.erase(connection, "r-1", now=world.now)

    world.store.write(erase)
    sqlite_case.sign()
    raw = exported(sqlite_case)
    found = verify_bundle(raw, trusted(sqlite_case))
    assert refuted(found) == []
    assert "content_erased" in codes(found, Standing.OPEN)
    assert [name for name in read_bundle(raw) if name.startswith("messages/")] == []


def test_a_strangers_message_under_the_same_id_spoils_nothing(sqlite_case: LogWorld) -> None:
    world = sqlite_case.world
    (mine,) = [row for row in world.rows(t.inbox) if row["type"] == "judicial_assistance.paid"]
    body = {**PAYMENT, "referral_id": "r-2", "payment_id": "p-2"}
    world.refer(
        world.neighbour,
        referral_id="r-3",
        case_number="（2026）黔03司救执1号",
        original_case_group="（2025）黔0302民初3号",
    )
    raw = world.neighbour.sign(
        "judicial_assistance.paid", {**body, "referral_id": "r-3"}, now=world.now, id=mine["message_id"]
    )
    accept(raw, world.context, now=world.now)
    sqlite_case.sign()
    assert refuted(judged(sqlite_case)) == []
    theirs = export(world.context, "r-3", who=NEIGHBOUR, why=OVER_HTTP, now=world.now, court=NEIGHBOUR)
    assert refuted(verify_bundle(theirs)) == []


def test_keys_that_were_rotated_since_still_prove_what_they_signed(sqlite_case: LogWorld) -> None:
    world = sqlite_case.world
    world.wait(timedelta(hours=1))
    kid = world.court.key.kid
    world.store.write(lambda c: directory.end_key(c, kid, at=world.now, now=world.now))
    world.context.directory.forget()
    sqlite_case.sign()
    assert refuted(verify_bundle(exported(sqlite_case))) == []


def test_what_a_revoked_key_signed_after_its_revocation_is_refuted(sqlite_case: LogWorld) -> None:
    world = sqlite_case.world
    kid = world.court.key.kid
    stolen = world.now - timedelta(days=1)
    world.store.write(lambda c: directory.end_key(c, kid, at=stolen, now=world.now, revoked_because="stolen"))
    world.context.directory.forget()
    sqlite_case.sign()
    found = verify_bundle(exported(sqlite_case))
    assert set(refuted(found)) == {"key_revoked"}


def test_the_directorys_own_leaf_is_what_the_verifier_recomputes(sqlite_case: LogWorld) -> None:
    logged = {c.subject for c in judged(sqlite_case).of(Standing.PROVEN) if c.code == "key_logged"}
    world = sqlite_case.world
    office = world.offices[CIVIL_AFFAIRS].partner
    assert logged == {world.court.key.kid, office.key.kid, world.context.key.kid}


def test_pinned_keys_may_be_a_bundles_own_from_before(sqlite_case: LogWorld) -> None:
    keys = read_trusted_keys(read_bundle(exported(sqlite_case))[bundle.KEYS])
    found = verify_bundle(exported(sqlite_case), Trusted(keys=keys))
    assert "keys_self_declared" not in codes(found, Standing.OPEN)


# --- who may, and what is kept of it ---


def test_every_export_is_on_file_and_in_the_log_before_it_is_shown(sqlite_case: LogWorld) -> None:
    raw = exported(sqlite_case)
    (kept,) = [row for row in sqlite_case.world.rows(t.decisions) if row["what"] == WHAT]
    assert (kept["who"], kept["why"], kept["subject"]) == (COURT, OVER_HTTP, "r-1")
    assert kept["decision_id"] in {row["ref"] for row in sqlite_case.world.rows(t.log_leaves)}
    assert kept["decision_id"] in read_bundle(raw)[bundle.MANIFEST].decode()
    sqlite_case.sign()
    assert kept["decision_id"] in read_bundle(exported(sqlite_case))[bundle.DECISIONS].decode()


def test_another_courts_referral_and_none_get_the_same_answer(sqlite_case: LogWorld) -> None:
    now = sqlite_case.world.now
    for referral_id, court in (("r-1", NEIGHBOUR), ("r-none", COURT), ("r-none", None)):
        with pytest.raises(ReferralUnknown):
            export(sqlite_case.context, referral_id, who=str(court), why="x", now=now, court=court)
    assert [row for row in sqlite_case.world.rows(t.decisions) if row["what"] == WHAT] == []


def test_an_auditor_may_have_every_courts(sqlite_case: LogWorld) -> None:
    now, context = sqlite_case.world.now, sqlite_case.context
    auditor = sqlite_case.world.auditor.party_id
    assert context.snapshot(now).keyring.kind_of(auditor) == PartyKind.AUDITOR
    assert asking_court(context, auditor, now=now) is None
    assert asking_court(context, COURT, now=now) == COURT


@pytest.mark.parametrize(("who", "why"), [("", "x"), ("x", " "), ("x" * 101, "y"), ("x", "y" * 501)])
def test_nobody_exports_without_saying_who_and_why(sqlite_case: LogWorld, who: str, why: str) -> None:
    with pytest.raises(ConfigError):
        export(sqlite_case.context, "r-1", who=who, why=why, now=sqlite_case.world.now)


def test_without_a_checkpoint_there_is_nothing_to_prove_it_with(sqlite_world: World) -> None:
    logged = LogWorld(sqlite_world)
    sqlite_world.refer()
    with pytest.raises(EvidenceNotReady):
        exported(logged)


@pytest.mark.parametrize("witnessed", [[-1], [10_000_000], list(range(21))])
def test_a_checkpoint_the_log_cannot_have_signed_is_refused(sqlite_case: LogWorld, witnessed: list[int]) -> None:
    with pytest.raises(InvalidQuery):
        exported(sqlite_case, witnessed=witnessed)


# --- somebody with the database's password ---

INBOX, OUTBOX, R, D, L = t.inbox, t.outbox, t.receipts, t.decisions, t.log_leaves
Change = Callable[[World], sa.Executable]


def _of_type(type_: str) -> sa.ColumnElement[bool]:
    return sa.and_(INBOX.c.type == type_, sa.or_(INBOX.c.subject == "r-1", INBOX.c.subject.is_(None)))


def _mine(world: World, table: sa.Table, name: str, value: str) -> sa.ColumnElement[bool]:
    (handoff,) = [row["message_id"] for row in world.rows(OUTBOX) if row["referral_id"] == "r-1"]
    return sa.and_(table.c.message_id == handoff, table.c[name] == value)


TAMPERED: list[tuple[str, Change, set[str]]] = [
    ("the referral", lambda _: INBOX.delete().where(_of_type("referral.submitted")), {"message_withheld"}),
    ("the payment", lambda _: INBOX.delete().where(_of_type("judicial_assistance.paid")), {"message_withheld"}),
    ("the opening", lambda _: INBOX.delete().where(_of_type("handoff.retrieved")), {"message_withheld"}),
    ("the answer", lambda _: INBOX.delete().where(_of_type("handoff.outcome")), {"message_withheld"}),
    ("the handoff", lambda _: OUTBOX.delete().where(OUTBOX.c.referral_id == "r-1"), {"message_withheld"}),
    (
        "the referral's bytes",
        lambda _: INBOX.update().where(_of_type("referral.submitted")).values(jws="e30.e30.AA"),
        {"paper_unreadable"},
    ),
    (
        "another message in its place",
        lambda w: (
            INBOX.update()
            .where(_of_type("judicial_assistance.paid"))
            .values(jws=w.court.sign("judicial_assistance.paid", PAYMENT, now=w.now).decode())
        ),
        {"message_withheld", "message_not_logged"},
    ),
    (
        "a receipt of ours",
        lambda _: INBOX.update().where(_of_type("referral.submitted")).values(receipt=""),
        {"submission_receipt_missing"},
    ),
    (
        "another case's receipt",
        lambda w: (
            INBOX.update()
            .where(_of_type("referral.submitted"))
            .values(receipt=next(row["receipt"] for row in w.rows(INBOX) if row["subject"] == "r-2"))
        ),
        {"receipt_of_unknown_message"},
    ),
    ("the agency's receipt", lambda w: R.delete().where(_mine(w, R, "rung", "relay")), {"receipt_withheld"}),
    (
        "the agency's receipt, altered",
        lambda w: R.update().where(_mine(w, R, "rung", "relay")).values(jws=R.c.jws + "A"),
        {"paper_unreadable", "signature_wrong", "receipt_withheld"},
    ),
    ("why it was decided", lambda _: D.update().where(D.c.subject == "r-1").values(why="x"), {"decision_altered"}),
    ("a decision", lambda _: D.delete().where(D.c.subject == "r-1"), {"decision_withheld"}),
    (
        "a decision slipped in",
        lambda _: D.insert().values(
            decision_id="d-new", at=1, who="somebody", what="hold_released", subject="r-1", why="x"
        ),
        {"decision_not_logged"},
    ),
    ("the first attempt", lambda _: t.attempts.delete().where(t.attempts.c.number == 1), {"attempt_missing"}),
    (
        "the court's key's window",
        lambda _: t.party_keys.update().where(t.party_keys.c.party_id == COURT).values(not_before=1),
        {"key_altered"},
    ),
    (
        "a leaf's time",
        lambda _: (
            L.update()
            .where(L.c.kind == "message", L.c.about == "r-1")
            .values(entry=sa.func.replace(L.c.entry, "2026-03-03", "2026-03-02"))
        ),
        {"inclusion_wrong"},
    ),
    (
        "who sent it, by a leaf",
        lambda _: (
            L.update()
            .where(L.c.kind == "message", L.c.about == "r-1")
            .values(entry=sa.func.replace(L.c.entry, COURT, NEIGHBOUR))
        ),
        {"message_withheld", "inclusion_wrong"},
    ),
    (
        "the checkpoint's note",
        lambda _: t.checkpoints.update().values(note=sa.func.replace(t.checkpoints.c.note, "\n\n", "\nx\n\n")),
        {"checkpoint_malformed"},
    ),
]

REFUSED: list[tuple[str, Change, type[XianjieError]]] = [
    ("the referral's own row", lambda _: t.referrals.delete(), ReferralUnknown),
    ("every checkpoint", lambda _: t.checkpoints.delete(), EvidenceNotReady),
    ("a leaf of the case", lambda _: L.delete().where(L.c.about == "r-1"), EvidenceDamaged),
    ("a leaf of somebody else", lambda _: L.delete().where(L.c.leaf_index == 1), EvidenceDamaged),
    ("a leaf's text", lambda _: L.update().where(L.c.about == "r-1").values(entry="{}"), EvidenceDamaged),
    (
        "the court's key",
        lambda _: t.party_keys.update().where(t.party_keys.c.party_id == COURT).values(jwk="{}"),
        XianjieError,
    ),
]


def _decided(logged: LogWorld) -> None:
    """Somebody looked at the case before."""
    exported(logged)
    logged.sign()


@pytest.mark.parametrize(("change", "expected"), [row[1:] for row in TAMPERED], ids=[row[0] for row in TAMPERED])
def test_what_was_changed_in_the_database_is_told(case: LogWorld, change: Change, expected: set[str]) -> None:
    _decided(case)
    assert refuted(judged(case)) == []
    case.world.change(change(case.world))
    case.world.context.directory.forget()
    found = refuted(judged(case))
    assert set(found) & expected, found


@pytest.mark.parametrize(("change", "error"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_packed_is_refused(sqlite_case: LogWorld, change: Change, error: type[XianjieError]) -> None:
    sqlite_case.world.change(change(sqlite_case.world))
    sqlite_case.context.directory.forget()
    with pytest.raises(error):
        exported(sqlite_case)


# --- logs that did not only grow ---


def test_a_case_that_was_lost_and_given_back_still_verifies(sqlite_url: str, tmp_path: Path) -> None:
    world = KeepingWorld(sqlite_url, tmp_path)
    world.refer_number(1)
    world.sign_log()
    copy = world.copy()
    world.dispatch()
    world.deliver()
    handoff = world.offices[CIVIL_AFFAIRS].received[-1]
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.ACCEPTED)
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.PAID)
    world.sign_log()
    kid = world.court.key.kid
    world.wait(timedelta(days=40))
    assert world.restore(copy) is not None
    world.recover()
    world.store.write(lambda c: directory.end_key(c, kid, at=world.now - timedelta(days=1), now=world.now))
    world.context.directory.forget()
    world.wait(timedelta(days=1))
    world.sign_log()
    raw = export(world.context, "r-1", who="测试员", why="恢复后抽查", now=world.now)
    found = verify_bundle(raw)
    assert refuted(found) == []
    assert "receipt_of_earlier_epoch" in codes(found, Standing.OPEN)
    rungs = {c.subject.split()[-1] for c in found.of(Standing.PROVEN) if c.code == "rung_reached"}
    assert {"submission", "relay", "disposition", "outcome"} <= rungs
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.CLOSED)
    world.sign_log()
    assert refuted(verify_bundle(export(world.context, "r-1", who="x", why="y", now=world.now))) == []
    world.close()


def test_what_was_on_file_before_the_log_was_verifies_once_it_is_taken_over(sqlite_world: World) -> None:
    world = sqlite_world
    world.answer(world.hand_over(), "RECEIVED")
    for table in (t.log_leaves, t.log_nodes, t.log_head):
        world.change(table.delete())
    for row in world.rows(t.inbox):
        older = _without_place(row["receipt"], world)
        world.change(t.inbox.update().where(t.inbox.c.message_id == row["message_id"]).values(receipt=older))
    world.store.write(adopt)
    logged = LogWorld(world)
    world.context = logged.context
    world.wait(timedelta(days=1))
    mine = world.offices[CIVIL_AFFAIRS].received[-1]
    world.answer(mine, "40", xj_amount="650.00", abaf0028="202603", abaf0029="202612", xj_payee="1")
    logged.sign()
    found = judged(logged)
    assert refuted(found) == []
    assert "receipt_without_place" in codes(found, Standing.OPEN)


def _without_place(receipt: str, world: World) -> str:
    """The receipt as an older version would have given it."""
    said = strict_json.loads(decode_segment(split(receipt.encode()).payload_segment))
    del said["data"]["log"]
    return sign(strict_json.dumps(said), world.context.key, RECEIPT_TYP)
