"""Whatever happens to any single row on either side of a pair comes back as that row, named."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.client.completeness import body_of
from gateway.domain.lifecycle import MessageState
from gateway.envelope.message import digest
from gateway.errors import CommitmentContradicted, SchemaInvalid, UnknownMessageType
from gateway.evidence.completeness import IN_TRANSIT, Commitment, DifferenceKind, Direction, Numbered
from gateway.flows.accept import accept
from gateway.flows.completeness import PairState, PairStatus, pairs_status
from gateway.flows.cutoff import cut_off
from gateway.flows.reconcile import reconcile_all
from gateway.store import tables as t
from tests.gateway_world import COURT, GATEWAY, World
from tests.pair_world import (
    Desk,
    Noting,
    a_court,
    a_referral,
    an_office,
    deliver,
    differences,
    mismatches,
    named,
    with_mailbox,
)

TO, FROM = Direction.TO_GATEWAY, Direction.FROM_GATEWAY
OTHER = digest("other bytes")


def run_all(world: World) -> None:
    reconcile_all(world.context, now=world.now)


def status_of(world: World, party: Noting, direction: Direction, **cutoff: Any) -> PairStatus:
    with world.store.reading() as connection:
        found = {(one.party_id, one.direction): one for one in pairs_status(connection, **cutoff)}
    return found[party.party_id, direction]


def inbox_row(seq: int, source: str = COURT) -> sa.ColumnElement[bool]:
    return sa.and_(t.inbox.c.source == source, t.inbox.c.seq == seq)


def outbox_row(office: Noting, seq: int) -> sa.ColumnElement[bool]:
    return sa.and_(t.outbox.c.recipient == office.party_id, t.outbox.c.seq == seq)


# --- proven ---


def test_two_whole_books_are_proven_by_their_roots_alone(world: World) -> None:
    office = an_office(world)
    desk = office.desk()
    found = office.compare(desk)
    assert (named(found), found.is_whole) == ([], True)
    assert [stream.proven for stream in found.streams] == [0, 4]
    assert desk.asked == ["commitment to_gateway None", "commitment from_gateway None"]


def test_a_commitment_with_equal_roots_is_kept_as_proven_up_to_its_mark(world: World) -> None:
    court = a_court(world)
    court.commit()
    kept = next(row for row in world.rows(t.commitments) if row["source"] == COURT)
    assert (kept["high_water"], kept["count"], kept["our_count"], kept["equal"]) == (4, 4, 4, True)
    assert (kept["root"], kept["cutoff_at"]) == (kept["our_root"], int(world.now.timestamp() * 1000))
    status = status_of(world, court, TO)
    assert (status.state, status.high_water, status.cutoff, status.rows) == (PairState.PROVEN, 4, world.now, ())
    assert mismatches(world) == []


def test_the_commitment_itself_is_numbered_receipted_and_logged_like_any_message(world: World) -> None:
    court = a_court(world, 2)
    court.commit()
    found = court.commit()
    assert found.streams[0].ours.high_water == 3
    kept = [row for row in world.rows(t.inbox) if row["type"] == "commitment.submitted"]
    assert [(row["seq"], row["subject"]) for row in kept] == [(3, None), (4, None)]
    logged = {row["ref"] for row in world.rows(t.log_leaves) if row["kind"] == "message"}
    assert {row["message_id"] for row in kept} <= logged


def test_the_same_commitment_again_gets_the_same_receipt_and_stands_once(world: World) -> None:
    court = a_court(world, 2)
    raw = court.write("commitment.submitted", body_of(court.compare()))
    first, again = (accept(raw, world.context, now=world.now) for _ in range(2))
    assert (first.receipt, again.replayed) == (again.receipt, True)
    assert len(world.rows(t.commitments)) == 2


def test_a_hole_that_both_sides_know_of_is_a_gap_and_no_mismatch(world: World) -> None:
    court = a_court(world, 2)
    world.court.seq += 1
    court.send("referral.submitted", a_referral(3))
    found = court.commit()
    assert (named(found), status_of(world, court, TO).state) == ([], PairState.PROVEN)
    run_all(world)
    assert world.open_codes() == ["SEQ_GAP"]


# --- rows of the gateway ---


@dataclass(frozen=True)
class Harm:
    """What is done to a row, and what it is called at either end."""

    name: str
    values: Mapping[str, Any] | None
    seen: str
    told: str

    def __str__(self) -> str:
        return self.name

    def to(self, table: sa.Table, where: sa.ColumnElement[bool]) -> sa.Executable:
        return table.delete().where(where) if self.values is None else table.update().where(where).values(self.values)


HARMS = [
    Harm("deleted", None, "missing_theirs", "missing_at_gateway"),
    Harm("other bytes", {"digest": OTHER}, "altered", "altered"),
    Harm("other id", {"message_id": "another"}, "altered", "altered"),
    Harm("no id and no digest", {"message_id": "x y", "digest": "?"}, "altered", "altered"),
    Harm("other number", {"seq": 99}, "missing_theirs", "missing_at_gateway"),
]


@pytest.mark.parametrize("harm", HARMS, ids=str)
@pytest.mark.parametrize("seq", [1, 2, 4])
def test_whatever_is_done_to_a_row_of_the_inbox_names_it(world: World, harm: Harm, seq: int) -> None:
    court = a_court(world)
    (noted,) = court.rows(TO, seq)
    world.change(harm.to(t.inbox, inbox_row(seq)))
    found = court.commit()
    assert ("to_gateway", seq, harm.seen) in named(found)
    (evidence,) = (row for row in mismatches(world) if row.get("seq") == seq)
    assert (evidence["party"], evidence["direction"], evidence["kind"]) == (COURT, "to_gateway", harm.told)
    assert evidence["message_id"][0] == noted.message_id
    assert evidence["at_party"] == [noted.digest]
    assert [row["seq"] for row in mismatches(world)] == [row[1] for row in named(found)]


@pytest.mark.parametrize("harm", HARMS, ids=str)
@pytest.mark.parametrize("seq", [1, 2, 4])
def test_whatever_is_done_to_a_row_of_the_outbox_names_it(world: World, harm: Harm, seq: int) -> None:
    office = an_office(world)
    (noted,) = office.rows(FROM, seq)
    world.change(harm.to(t.outbox, outbox_row(office, seq)))
    found = office.commit()
    assert ("from_gateway", seq, harm.seen) in named(found)
    (evidence,) = (row for row in mismatches(world) if row.get("seq") == seq)
    assert (evidence["party"], evidence["direction"], evidence["kind"]) == (office.party_id, "from_gateway", harm.told)
    assert (evidence["message_id"][0], evidence["at_party"]) == (noted.message_id, [noted.digest])
    assert status_of(world, office, FROM).state is PairState.DIFFERS


def test_a_row_added_to_the_inbox_is_named(world: World) -> None:
    court = a_court(world)
    row = next(row for row in world.rows(t.inbox) if row["seq"] == 2)
    added = {name: value for name, value in row.items() if name != "row"} | {"message_id": "added"}
    world.change(t.inbox.insert().values(added))
    found = court.commit()
    assert named(found) == [("to_gateway", 2, "doubled")]
    (evidence,) = mismatches(world)
    assert (evidence["kind"], set(evidence["message_id"])) == ("doubled", {"added", row["message_id"]})


def test_many_harms_at_once_are_each_named(world: World) -> None:
    court = a_court(world, 9)
    world.change(HARMS[0].to(t.inbox, inbox_row(2)))
    world.change(HARMS[1].to(t.inbox, inbox_row(5)))
    world.change(HARMS[0].to(t.inbox, inbox_row(9)))
    court.forget(TO, 7)
    found = court.commit()
    assert [(seq, kind) for _, seq, kind in named(found)] == [
        (2, "missing_theirs"),
        (5, "altered"),
        (7, "missing_ours"),
        (9, "missing_theirs"),
    ]
    assert [(row["seq"], row["must"]) for row in ({**row, "must": row["kind"]} for row in mismatches(world))] == [
        (2, "missing_at_gateway"),
        (5, "altered"),
        (7, "missing_at_party"),
        (9, "missing_at_gateway"),
    ]


def test_the_bytes_themselves_do_not_matter_to_the_root_but_what_was_noted_of_them(world: World) -> None:
    """Bytes that were changed beside an unchanged digest are the log's to find: the cut-off reads them."""
    court = a_court(world)
    world.change(t.inbox.update().where(inbox_row(2)).values(kid="x"))
    assert named(court.commit()) == []


# --- rows of the party ---

NOTE_HARMS: list[tuple[Callable[[Noting, Direction, int], None], str, str]] = [
    (lambda party, direction, seq: party.forget(direction, seq), "missing_ours", "missing_at_party"),
    (lambda party, direction, seq: party.change(direction, seq, digest=OTHER), "altered", "altered"),
    (lambda party, direction, seq: party.change(direction, seq, message_id="another"), "altered", "altered"),
]


@pytest.mark.parametrize(("harm", "seen", "told"), NOTE_HARMS, ids=["forgotten", "other bytes", "other id"])
@pytest.mark.parametrize("seq", [1, 3, 4])
@pytest.mark.parametrize("direction", list(Direction))
def test_whatever_is_done_to_a_row_of_the_party_names_it(
    world: World,
    harm: Callable[[Noting, Direction, int], None],
    seen: str,
    told: str,
    seq: int,
    direction: Direction,
) -> None:
    party = a_court(world) if direction is TO else an_office(world)
    (noted,) = party.rows(direction, seq)
    harm(party, direction, seq)
    found = party.commit()
    assert named(found) == [(direction.value, seq, seen)]
    (evidence,) = mismatches(world)
    assert (evidence["direction"], evidence["seq"], evidence["kind"]) == (direction.value, seq, told)
    assert noted.message_id in evidence["message_id"]
    assert evidence["at_gateway"] == [noted.digest]


def test_who_lacks_a_message_has_to_act(world: World) -> None:
    court = a_court(world)
    court.forget(TO, 3)
    world.change(HARMS[0].to(t.inbox, inbox_row(2)))
    court.commit()
    acts = {row["subject"].rpartition("|")[2]: row["must_act"] for row in world.rows(t.findings)}
    assert acts == {"2": "operator", "3": COURT}


# --- on its way ---


@pytest.mark.parametrize("state", sorted(IN_TRANSIT & {state.value for state in MessageState}))
def test_what_the_gateway_still_has_under_way_is_not_lost(world: World, state: str) -> None:
    office = an_office(world)
    office.forget(FROM, 2)
    world.change(t.outbox.update().where(outbox_row(office, 2)).values(state=state))
    found = office.commit()
    assert (named(found), found.is_whole) == ([], True)
    (one,) = differences(found, FROM)
    assert (one.seq, one.kind, one.theirs[0].state) == (2, DifferenceKind.IN_TRANSIT, state)
    assert mismatches(world) == []
    assert status_of(world, office, FROM).state is PairState.IN_TRANSIT


def test_what_the_office_refused_is_not_lost(world: World) -> None:
    office = an_office(world)
    office.forget(FROM, 4)
    world.change(t.outbox.update().where(outbox_row(office, 4)).values(state="refused"))
    assert named(office.commit()) == []
    assert mismatches(world) == []


def test_what_arrived_after_the_commitment_was_no_loss(world: World) -> None:
    office = an_office(world)
    with_mailbox(world)
    court = Noting(world=world, partner=world.court)
    court.send("referral.submitted", a_referral(8))
    world.dispatch()
    office.commit()
    world.change(t.outbox.update().where(outbox_row(office, 5)).values(state="retrieved"))
    run_all(world)
    assert mismatches(world) == []
    assert status_of(world, office, FROM).state is PairState.IN_TRANSIT


def test_what_waits_beyond_what_fits_into_a_commitment_is_explained_by_our_own_states(world: World) -> None:
    office = an_office(world)
    office.forget(FROM, 2)
    office.forget(FROM, 3)
    world.change(t.outbox.update().where(t.outbox.c.seq.in_([2, 3])).values(state="parked"))
    body = body_of(office.compare())
    stream = body["streams"][1]
    stream["differences"], stream["more"] = stream["differences"][:0], 2
    del stream["differences"]
    office.send("commitment.submitted", body)
    assert mismatches(world) == []
    assert status_of(world, office, FROM).state is PairState.IN_TRANSIT


def test_what_the_party_sent_without_an_answer_is_not_lost_until_it_has_a_receipt(world: World) -> None:
    court = a_court(world, 3)
    court.write("referral.submitted", a_referral(4), state="pending")
    court.send("referral.submitted", a_referral(5))
    found = court.commit()
    assert [(one.seq, one.kind) for one in differences(found, TO)] == [(4, DifferenceKind.IN_TRANSIT)]
    assert mismatches(world) == []
    court.change(TO, 4, state="settled")
    assert named(court.commit()) == [("to_gateway", 4, "missing_theirs")]


def test_the_gateway_has_what_the_party_believes_pending(world: World) -> None:
    court = a_court(world, 3)
    world.accept(court.write("referral.submitted", a_referral(4), state="pending"))
    assert (named(court.commit()), status_of(world, court, TO).state) == ([], PairState.PROVEN)


# --- afterwards ---


def test_a_row_that_was_mended_cures_its_finding(world: World) -> None:
    court = a_court(world)
    row = next(row for row in world.rows(t.inbox) if row["seq"] == 2)
    world.change(t.inbox.delete().where(inbox_row(2)))
    court.commit()
    run_all(world)
    assert [one["seq"] for one in mismatches(world)] == [2]
    assert "SEQ_GAP" in world.open_codes()
    world.change(t.inbox.insert().values(row))
    run_all(world)
    assert world.open_codes() == []


def test_a_finding_stays_one_however_often_it_is_found(world: World) -> None:
    court = a_court(world)
    world.change(t.inbox.delete().where(inbox_row(2)))
    for _ in range(2):
        court.commit()
        run_all(world)
    assert len([row for row in world.rows(t.findings) if row["code"] == "PAIR_MISMATCH"]) == 1


def test_what_is_deleted_after_it_was_proven_shows_at_the_next_look_and_is_named_by_the_next_commitment(
    world: World,
) -> None:
    court = a_court(world)
    court.commit()
    world.change(t.inbox.delete().where(inbox_row(3)))
    run_all(world)
    (evidence,) = mismatches(world)
    assert (evidence["party"], evidence["kind"], "seq" in evidence) == (COURT, "unexplained", False)
    assert status_of(world, court, TO).state is PairState.DIFFERS
    court.commit()
    run_all(world)
    (evidence,) = mismatches(world)
    assert (evidence["seq"], evidence["kind"]) == (3, "missing_at_gateway")


def test_a_root_that_nothing_named_accounts_for_is_a_finding_too(world: World) -> None:
    court = a_court(world)
    body = body_of(court.compare())
    body["streams"][0]["root"] = OTHER
    court.send("commitment.submitted", body)
    (evidence,) = mismatches(world)
    assert (evidence["kind"], evidence["high_water"]) == ("unexplained", 4)


def test_a_high_water_mark_out_of_all_proportion_is_kept_and_doubted(world: World) -> None:
    court = a_court(world)
    body = body_of(court.compare())
    body["streams"][0]["high_water"] = 2**53 - 1
    court.send("commitment.submitted", body)
    assert [one["kind"] for one in mismatches(world)] == ["unexplained"]
    assert status_of(world, court, TO).state is PairState.DIFFERS


# --- who did not commit ---


def test_who_exchanged_messages_and_never_committed_is_overdue(world: World) -> None:
    court = a_court(world)
    assert status_of(world, court, TO).state is PairState.OVERDUE


def test_who_committed_to_an_earlier_cut_off_is_overdue_for_the_next(world: World) -> None:
    court = a_court(world)
    court.commit()
    cutoff = world.now + timedelta(days=1)
    assert status_of(world, court, TO, cutoff=world.now).state is PairState.PROVEN
    assert status_of(world, court, TO, cutoff=cutoff).state is PairState.OVERDUE


def test_who_let_a_whole_period_pass_is_overdue_by_itself(world: World) -> None:
    court = a_court(world)
    court.commit()
    states = []
    for _ in range(3):
        world.wait(timedelta(days=1))
        cut_off(world.context, now=world.now)
        states.append(status_of(world, court, TO).state)
    assert states == [PairState.PROVEN, PairState.OVERDUE, PairState.OVERDUE]
    court.commit()
    assert status_of(world, court, TO).state is PairState.PROVEN


def test_a_pair_without_a_message_owes_nothing(world: World) -> None:
    with world.store.reading() as connection:
        assert pairs_status(connection) == []


# --- who may commit to what ---


def test_nobody_commits_to_a_strangers_pair(world: World) -> None:
    court = a_court(world)
    body = body_of(court.compare())
    neighbour = Noting(world=world, partner=world.neighbour)
    with pytest.raises(SchemaInvalid) as raised:
        neighbour.send("commitment.submitted", body)
    assert [(one.pointer, one.code) for one in raised.value.problems] == [("/data/streams/0", "invalid")]


def test_a_stream_stands_once_in_a_commitment(world: World) -> None:
    court = a_court(world)
    body = body_of(court.compare())
    body["streams"][1] = body["streams"][0]
    with pytest.raises(SchemaInvalid) as raised:
        court.send("commitment.submitted", body)
    assert [(one.pointer, one.code) for one in raised.value.problems] == [("/data/streams/1", "repeated")]


def test_a_body_of_another_shape_is_told_by_pointer(world: World) -> None:
    court = a_court(world, 1)
    with pytest.raises(SchemaInvalid) as raised:
        court.send("commitment.submitted", {"cutoff": "now", "streams": []})
    assert {one.pointer for one in raised.value.problems} == {"/data/cutoff", "/data/streams"}


def test_an_auditor_has_nothing_to_commit_to(world: World) -> None:
    auditor = Noting(world=world, partner=world.auditor)
    with pytest.raises(UnknownMessageType):
        auditor.send("commitment.submitted", {})


# --- while messages move, and when somebody lies ---


@dataclass
class Moving(Desk):
    """Something happens at the gateway right before the given question."""

    at: int = 0
    happens: Callable[[], object] = lambda: None

    def range(self, direction: Direction, start: int, stop: int, *, under: Commitment) -> Mapping[str, Any]:
        if sum(one.startswith("range") for one in self.asked) == self.at:
            self.happens()
            self.trees = None
        return super().range(direction, start, stop, under=under)


def test_a_message_that_arrives_while_we_look_is_no_difference(world: World) -> None:
    court = a_court(world, 3)
    late = court.write("referral.submitted", a_referral(4), state="pending")
    court.send("referral.submitted", a_referral(5))
    desk = Moving(world=world, party_id=COURT, happens=lambda: world.accept(late))
    found = court.compare(desk)
    assert (named(found), differences(found, TO)) == ([], [])
    assert found.streams[0].proven == 5


def test_a_message_that_is_noted_while_we_look_is_committed_to_with_the_rest(world: World) -> None:
    office = an_office(world)
    (row,) = office.rows(FROM, 2)
    office.forget(FROM, 2)
    desk = Moving(world=world, party_id=office.party_id, happens=lambda: office.notes[FROM].append(row))
    found = office.compare(desk)
    assert (differences(found, FROM), found.streams[1].ours.count) == ([], 4)
    office.send("commitment.submitted", body_of(found))
    assert (mismatches(world), status_of(world, office, FROM).state) == ([], PairState.PROVEN)


@dataclass
class Lying(Desk):
    """Shows rows that were not committed to."""

    def range(self, direction: Direction, start: int, stop: int, *, under: Commitment) -> Mapping[str, Any]:
        found = dict(super().range(direction, start, stop, under=under))
        found["rows"] = [{**row, "digest": OTHER} for row in found["rows"]]
        return found


def test_rows_that_do_not_fit_the_signed_root_are_not_believed(world: World) -> None:
    court = a_court(world)
    court.forget(TO, 2)
    with pytest.raises(CommitmentContradicted):
        court.compare(Lying(world=world, party_id=COURT))


def test_a_commitment_to_another_pair_is_not_believed(world: World) -> None:
    a_court(world)
    neighbour = Noting(world=world, partner=world.neighbour)
    elsewhere = neighbour.desk()
    elsewhere.party_id = COURT
    with pytest.raises(CommitmentContradicted):
        neighbour.compare(elsewhere)


def test_nothing_of_a_commitment_names_anybody(world: World) -> None:
    court = a_court(world)
    world.change(t.inbox.delete().where(inbox_row(2)))
    court.commit()
    shown = str(world.rows(t.commitments)) + str(world.rows(t.findings))
    for secret in ("测试甲", "13900000000", "测试路"):
        assert secret not in shown


def test_our_own_commitment_is_ours_and_for_the_party(world: World) -> None:
    court = a_court(world)
    message = court.desk().prove(court.desk().commitment(TO, None))
    envelope = message.envelope
    assert (message.party_id, envelope.recipient, envelope.type) == (GATEWAY, COURT, "commitment.submitted")
    (stream,) = envelope.data["streams"]
    assert (stream["source"], stream["recipient"], stream["high_water"], stream["count"]) == (COURT, GATEWAY, 4, 4)
    assert "seq" not in str(envelope.to_payload())


def test_a_longer_queue_follows_the_search_only_where_it_differs(world: World) -> None:
    office = an_office(world, 2)
    office.notes[FROM].append(Numbered(seq=3, message_id="made-up", digest=OTHER))
    found = office.compare()
    assert named(found) == [("from_gateway", 3, "missing_theirs")]
    deliver(world, office)
