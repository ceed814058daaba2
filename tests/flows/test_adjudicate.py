"""匹配复核 Both sides are heard before a doubt about two is resolved; no side sees or decides what is another's."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from gateway.domain.adjudication import DispositionCode, Resolution, StopsBy
from gateway.domain.agreement import Channel
from gateway.domain.lifecycle import MatchState
from gateway.domain.reconciliation.evidence import FindingDecision
from gateway.domain.reconciliation.findings import doubt
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import ConfigError, IllegalMove, MatchUnknown, SchemaInvalid
from gateway.evidence.receipt import Receipt
from gateway.flows import findings_desk
from gateway.flows.adjudicate import Adjudicated, adjudicate
from gateway.flows.cutoff import cut_off
from gateway.flows.erase import erase
from gateway.flows.mailbox import pull
from gateway.flows.match_resolve import appeal, resolve
from gateway.flows.match_said import enter
from gateway.flows.reconcile import reconcile_all
from gateway.store import findings, matches
from gateway.store import tables as t
from gateway.store.matches import KeptMatch
from tests.builders import an_id_number
from tests.gateway_world import (
    AGREEMENT,
    CIVIL_AFFAIRS,
    COURT,
    DISABLED_PERSONS,
    NEIGHBOUR,
    Partner,
    World,
    a_referral_body,
)

WHO = {"who": "督导员", "why": "测试复核"}
THE_SAME = {"original_case_group": "（2025）黔0102民初1号"}


@pytest.fixture
def two(world: World) -> World:
    """One person, one programme, asked for by two courts."""
    return asked_twice(world)


@pytest.fixture
def two_here(sqlite_world: World) -> World:
    """The same where the engine has no say."""
    return asked_twice(sqlite_world)


def asked_twice(world: World, second: Partner | None = None) -> World:
    world.refer()
    world.wait(timedelta(minutes=1))
    world.refer(
        second or world.neighbour,
        referral_id="r-2",
        case_number="（2026）黔03司救执2号",
        original_case_group="（2025）黔0302民初2号",
    )
    reconcile_all(world.context, now=world.now)
    assert world.open_codes() == ["DUP_OPEN_REFERRAL"]
    assert turn(world) == Adjudicated(opened=1, begun=1)
    return world


def turn(world: World) -> Adjudicated:
    return adjudicate(world.context, now=world.now)


def match(world: World) -> KeptMatch:
    with world.store.reading() as connection:
        (found,) = matches.listed(connection)
    return found


def letters(world: World, party: str, type_: str = "match.notice") -> list[VerifiedMessage]:
    """What lies in a court's mailbox."""
    found = pull(world.context, party, after=0, limit=100)
    read = [verify(wire.encode(), world.keyring, recipient=party, now=world.now) for _, wire in found]
    return [one for one in read if one.envelope.type == type_]


def say(world: World, partner: Partner, disposition: str, **changes: Any) -> Receipt:
    """A court's disposition of the match, for its own side."""
    return world.accept(said(world, partner, disposition, **changes))


def said(world: World, partner: Partner, disposition: str, type_: str = "match.disposition", **changes: Any) -> bytes:
    found = match(world)
    mine = next(one for one in found.sides if one.party == partner.party_id)
    honest = {"match_id": found.match.match_id, "side": mine.side, "referral_id": mine.referral_id}
    honest |= {"reason": "经查", **({} if type_ == "match.appealed" else {"disposition": disposition})}
    if disposition == "STOP_MINE":
        honest["stops_by"] = "WITHDRAWAL"
    data = {name: value for name, value in (honest | changes).items() if value is not None}
    return partner.sign(type_, data, now=world.now)


def finding(world: World) -> Any:
    (row,) = [row for row in world.rows(t.findings) if row["code"].startswith("DUP_")]
    return row


# --- opening ---


def test_a_doubt_about_two_sides_is_put_before_both_once(two: World) -> None:
    found = match(two)
    assert (found.match.state, found.match.round) == (MatchState.NOTIFIED, 1)
    assert [(one.side, one.party, one.referral_id) for one in found.sides] == [
        ("A", NEIGHBOUR, "r-2"),
        ("B", COURT, "r-1"),
    ]
    assert turn(two) == Adjudicated()
    assert [len(letters(two, party)) for party in (COURT, NEIGHBOUR)] == [1, 1]


def test_a_side_learns_its_own_case_and_nothing_of_the_others(two_here: World) -> None:
    (letter,) = letters(two_here, COURT)
    data = letter.envelope.data
    assert {"referral_id": "r-1", "kind": "same_help", "programme": "MLG", "side": "B"}.items() <= data.items()
    assert "r-2" not in letter.jws
    assert NEIGHBOUR not in letter.jws
    assert (letter.envelope.subject, letter.envelope.reply_by is not None) == ("r-1", True)


def test_both_agreeing_that_both_are_lawful_explains_the_finding_and_closes(two: World) -> None:
    say(two, two.court, "LAWFUL_BOTH")
    assert match(two).match.state is MatchState.AWAITING_DISPOSITIONS
    told = say(two, two.neighbour, "LAWFUL_BOTH")
    assert told.answer is not None
    assert told.answer["state"] == "closed"
    assert (match(two).match.state, match(two).match.resolution) == (MatchState.CLOSED, Resolution.LAWFUL)
    assert (finding(two)["state"], finding(two)["closed_because"]) == ("closed", "EXPLAINED")
    assert [one.envelope.data["resolution"] for one in letters(two, COURT, "match.resolved")] == ["LAWFUL"]
    reconcile_all(two.context, now=two.now)
    assert two.open_codes() == []
    assert turn(two) == Adjudicated()
    assert cut_off(two.context, now=two.now).troubles == ()


def test_the_side_that_gives_way_says_how_and_the_duplicate_is_confirmed(two: World) -> None:
    with pytest.raises(SchemaInvalid) as caught:
        say(two, two.neighbour, "STOP_MINE", stops_by=None)
    assert [(one.pointer, one.code) for one in caught.value.problems] == [("/data/stops_by", "stops_by_with_stop")]
    say(two, two.neighbour, "STOP_MINE")
    say(two, two.court, "SAME_HELP_KEEP_MINE")
    assert match(two).match.state is MatchState.RESOLVED_DUPLICATE
    assert (finding(two)["state"], finding(two)["decided_as"]) == ("decided", "CONFIRMED")
    told = [letters(two, party, "match.resolved")[0].envelope.data["stops_yours"] for party in (COURT, NEIGHBOUR)]
    assert told == [False, True]
    findings_desk.close(two.context, [finding(two)["key"]], **WHO, now=two.now)
    assert turn(two).ended == 1
    assert match(two).match.state is MatchState.CLOSED
    assert cut_off(two.context, now=two.now).troubles == ()


def test_conflicting_words_go_before_a_person_who_decides(two: World) -> None:
    say(two, two.court, "SAME_HELP_KEEP_MINE")
    say(two, two.neighbour, "SAME_HELP_KEEP_MINE")
    assert match(two).match.state is MatchState.ESCALATED
    with pytest.raises(IllegalMove):
        findings_desk.decide(two.context, [finding(two)["key"]], FindingDecision.EXPLAINED, **WHO, now=two.now)
    with pytest.raises(ConfigError):
        resolve(two.context, match(two).match.match_id, Resolution.DUPLICATE, **WHO, now=two.now)
    resolve(two.context, match(two).match.match_id, Resolution.DUPLICATE, stops="A", **WHO, now=two.now)
    assert match(two).match.state is MatchState.RESOLVED_DUPLICATE
    (row,) = [row for row in two.rows(t.decisions) if row["what"] == "match_duplicate"]
    assert (row["who"], row["why"]) == ("督导员", "stops=A 测试复核")
    assert cut_off(two.context, now=two.now).troubles == ()


def test_a_side_that_changes_its_word_may_still_resolve_what_waits_for_a_person(two_here: World) -> None:
    say(two_here, two_here.court, "LAWFUL_BOTH")
    say(two_here, two_here.neighbour, "SAME_HELP_KEEP_MINE")
    assert match(two_here).match.state is MatchState.ESCALATED
    say(two_here, two_here.neighbour, "NOT_SAME_HELP")
    assert match(two_here).match.resolution is Resolution.LAWFUL


def test_who_answers_has_read_the_notice(two_here: World) -> None:
    say(two_here, two_here.court, "LAWFUL_BOTH")
    assert (letters(two_here, COURT), len(letters(two_here, NEIGHBOUR))) == ([], 1)


def test_what_is_still_asked_for_is_no_disposition(two_here: World) -> None:
    say(two_here, two_here.court, "NEED_INFORMATION")
    assert match(two_here).match.state is MatchState.NOTIFIED
    say(two_here, two_here.neighbour, "NOT_SAME_HELP")
    assert match(two_here).match.state is MatchState.AWAITING_DISPOSITIONS


def test_a_false_match_is_not_found_again_until_its_evidence_changes(two: World) -> None:
    say(two, two.court, "NOT_SAME_HELP")
    say(two, two.neighbour, "NOT_SAME_HELP")
    assert (finding(two)["state"], finding(two)["closed_because"]) == ("closed", "FALSE_MATCH")
    reconcile_all(two.context, now=two.now)
    two.dispatch()
    reconcile_all(two.context, now=two.now)
    assert two.open_codes() == []
    (rate,) = findings_desk.rates(two.context)
    assert (rate.code, rate.group, rate.found, rate.decided, rate.false) == ("DUP_OPEN_REFERRAL", "NONE", 1, 1, 1)


def test_an_appeal_reopens_visibly_and_both_are_heard_again(two: World) -> None:
    say(two, two.court, "NOT_SAME_HELP")
    say(two, two.neighbour, "NOT_SAME_HELP")
    told = two.accept(said(two, two.court, "", "match.appealed"))
    assert told.answer is not None
    assert told.answer["state"] == "appealed"
    assert finding(two)["state"] == "open"
    assert [row["what"] for row in two.rows(t.finding_changes)] == ["reopened"]
    assert turn(two) == Adjudicated(begun=1)
    assert (match(two).match.state, match(two).match.round) == (MatchState.NOTIFIED, 2)
    say(two, two.court, "STOP_MINE")
    say(two, two.neighbour, "SAME_HELP_KEEP_MINE")
    assert match(two).match.resolution is Resolution.DUPLICATE
    assert cut_off(two.context, now=two.now).troubles == ()


def test_the_person_appeals_through_the_operator(two_here: World) -> None:
    found = match(two_here).match.match_id
    with pytest.raises(IllegalMove):
        appeal(two_here.context, found, **WHO, now=two_here.now)
    resolve(two_here.context, found, Resolution.LAWFUL, **WHO, now=two_here.now)
    assert appeal(two_here.context, found, **WHO, now=two_here.now) is MatchState.APPEALED


def test_a_side_that_does_not_answer_in_time_is_a_finding_and_a_person_decides(two: World) -> None:
    say(two, two.court, "LAWFUL_BOTH")
    two.wait(timedelta(days=8))
    assert turn(two) == Adjudicated(overdue=1)
    assert match(two).match.state is MatchState.ESCALATED
    reconcile_all(two.context, now=two.now)
    silent = [row for row in two.rows(t.findings) if row["code"] == "MISS_DISPOSITION"]
    assert [(row["must_act"], row["state"]) for row in silent] == [(NEIGHBOUR, "open")]
    assert turn(two) == Adjudicated()
    say(two, two.neighbour, "LAWFUL_BOTH")
    assert match(two).match.state is MatchState.CLOSED
    turn(two)
    assert "MISS_DISPOSITION" not in two.open_codes()
    assert cut_off(two.context, now=two.now).troubles == ()


def test_looking_ahead_for_what_will_be_overdue_signs_nothing_in_the_future(two_here: World) -> None:
    world = two_here
    found = match(world).match.match_id
    for said_by in (world.court, world.neighbour):
        say(world, said_by, "LAWFUL_BOTH")
    appeal(world.context, found, **WHO, now=world.now)
    ahead = world.now + timedelta(days=30)
    assert adjudicate(world.context, now=world.now, overdue_at=ahead) == Adjudicated(begun=1, overdue=1)
    assert match(world).match.state is MatchState.ESCALATED
    assert [one.envelope.time for one in letters(world, NEIGHBOUR)][-1] == world.now


def test_a_neighbour_neither_sees_nor_decides_another_ones_match(two_here: World) -> None:
    stranger = two_here.add_court("cn/court/520500", "520500")
    asked = letters(two_here, COURT)[-1].envelope.data
    mine = {"match_id": asked["match_id"], "side": "B", "referral_id": "r-1"}
    body = {**mine, "disposition": "LAWFUL_BOTH", "reason": "经查"}
    for partner, changes in (
        (stranger, {}),
        (two_here.neighbour, {}),
        (two_here.neighbour, {"side": "A"}),
        (two_here.court, {"match_id": "m-unknown"}),
        (two_here.court, {"referral_id": "r-2"}),
    ):
        with pytest.raises(MatchUnknown):
            two_here.accept(partner.sign("match.disposition", body | changes, now=two_here.now))
    assert match(two_here).said == ()


def test_where_one_party_is_both_sides_it_does_not_judge_itself_alone(sqlite_world: World) -> None:
    world = asked_twice(sqlite_world, sqlite_world.court)
    asked = {one.envelope.data["side"]: one.envelope.data["referral_id"] for one in letters(world, COURT)}
    assert asked == {"A": "r-2", "B": "r-1"}
    for side, referral_id in asked.items():
        say(world, world.court, "LAWFUL_BOTH", side=side, referral_id=referral_id)
    assert match(world).match.state is MatchState.ESCALATED
    say(world, world.court, "STOP_MINE", side="A", referral_id="r-2")
    say(world, world.court, "SAME_HELP_KEEP_MINE", side="B", referral_id="r-1")
    assert match(world).match.state is MatchState.RESOLVED_DUPLICATE


def test_the_operator_enters_what_a_side_without_a_server_says(two: World) -> None:
    found = match(two).match.match_id
    with pytest.raises(ConfigError):
        enter(two.context, found, "A", DispositionCode.STOP_MINE, **WHO, now=two.now)
    stop = DispositionCode.STOP_MINE
    assert enter(two.context, found, "A", stop, stops_by=StopsBy.STOP, **WHO, now=two.now) == "awaiting_dispositions"
    say(two, two.court, "SAME_HELP_KEEP_MINE")
    assert match(two).match.state is MatchState.RESOLVED_DUPLICATE
    assert cut_off(two.context, now=two.now).troubles == ()


def test_what_no_run_sees_any_more_ends_and_both_are_told(two_here: World) -> None:
    two_here.accept(
        two_here.neighbour.sign("referral.withdrawn", {"referral_id": "r-2", "reason": "重复"}, now=two_here.now)
    )
    reconcile_all(two_here.context, now=two_here.now)
    assert turn(two_here) == Adjudicated(ended=1)
    assert (match(two_here).match.state, match(two_here).match.resolution) == (
        MatchState.CLOSED,
        Resolution.NO_LONGER_SEEN,
    )
    with pytest.raises(IllegalMove):
        say(two_here, two_here.court, "LAWFUL_BOTH")


def test_a_finding_that_a_person_reopens_is_put_before_both_again(two_here: World) -> None:
    resolve(two_here.context, match(two_here).match.match_id, Resolution.NOT_SAME_HELP, **WHO, now=two_here.now)
    findings_desk.reopen(two_here.context, [finding(two_here)["key"]], **WHO, now=two_here.now)
    done = turn(two_here)
    assert (done.ended, done.begun, match(two_here).match.round) == (1, 1, 2)


def test_an_idle_turn_writes_nothing(sqlite_world: World) -> None:
    before = len(sqlite_world.rows(t.log_leaves))
    assert adjudicate(sqlite_world.context, now=sqlite_world.now) == Adjudicated()
    assert len(sqlite_world.rows(t.log_leaves)) == before


# --- the cut-off ---


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (t.matches.update().values(state="resolved_lawful"), ("matches", "altered", "state")),
        (t.matches.update().values(resolution="LAWFUL"), ("matches", "altered", "resolution")),
        (t.match_moves.delete().where(t.match_moves.c.to_state == "closed"), ("matches", "altered", "state")),
        (t.match_sides.update().values(party="cn/court/520500"), ("match_sides", "altered", "party")),
        (t.match_sides.delete().where(t.match_sides.c.side == "A"), ("match_sides", "missing", None)),
        (t.dispositions.update().values(code="LAWFUL_BOTH"), ("dispositions", "altered", "code")),
        (t.dispositions.delete().where(t.dispositions.c.side == "A"), ("dispositions", "missing", None)),
        (t.findings.update().values(decided_as="EXPLAINED"), ("findings", "altered", "decided_as")),
        (t.findings.update().values(decided_as=None, state="open"), ("findings", "altered", "decided_as")),
        (t.findings.update().values(state="decided"), ("findings", "altered", "state")),
    ],
)
def test_what_somebody_changed_past_the_log_is_named(
    sqlite_world: World, change: Any, expected: tuple[str, str, str | None]
) -> None:
    world = asked_twice(sqlite_world)
    say(world, world.court, "NOT_SAME_HELP")
    enter(world.context, match(world).match.match_id, "A", DispositionCode.NOT_SAME_HELP, **WHO, now=world.now)
    assert cut_off(world.context, now=world.now).troubles == ()
    world.change(change)
    troubles = cut_off(world.context, now=world.now).troubles
    assert expected in [(one.table, one.what.value, one.column) for one in troubles]


def test_of_an_erased_case_nobody_is_written_to_and_the_other_side_is_heard_all_the_same(sqlite_world: World) -> None:
    world = asked_twice(sqlite_world)
    say(world, world.court, "SAME_HELP_KEEP_MINE")
    world.change(t.needs.update().where(t.needs.c.referral_id == "r-1").values(state="closed"))
    order = {"court_order": "（2026）黔01行令1号", **WHO, "now": world.now}
    with pytest.raises(IllegalMove):
        erase(world.context, "r-1", **order)
    resolve(world.context, match(world).match.match_id, Resolution.NOT_SAME_HELP, **WHO, now=world.now)
    world.change(t.outbox.update().where(t.outbox.c.type == "match.resolved").values(state="retrieved"))
    erase(world.context, "r-1", **order)
    appeal(world.context, match(world).match.match_id, **WHO, now=world.now)
    assert turn(world) == Adjudicated(begun=1)
    assert [one.party for one in match(world).sides] == [NEIGHBOUR, "operator"]
    assert [one.type for one in (message.envelope for message in letters(world, COURT, "match.resolved"))] == []
    say(world, world.neighbour, "LAWFUL_BOTH")
    enter(world.context, match(world).match.match_id, "B", DispositionCode.LAWFUL_BOTH, **WHO, now=world.now)
    assert match(world).match.state is MatchState.CLOSED


def test_an_office_is_not_told_of_a_case_it_was_never_handed(sqlite_world: World) -> None:
    """Its own statement named the person; the operator speaks with it instead."""
    world = sqlite_world
    world.hand_over()
    office = "civil_affairs-520103"
    world.add_office("civil_affairs", Channel.MAILBOX, "520103")
    listed = doubt(
        "DUP_SAME_PROGRAMME_PERIOD",
        "D08",
        referral_id="r-1",
        need_id="r-1:1",
        must_act=office,
        subject="statement|s-1:1",
        offices=[CIVIL_AFFAIRS, office],
        programmes=["MLG", "MLG"],
        from_month="2026-03",
    )
    world.store.write(lambda c: findings.open_now(c, [(listed, "v1")], now=world.now, origin="statement"))
    assert turn(world) == Adjudicated(opened=1, begun=1)
    mine, other = match(world).sides
    assert (mine.office_id, mine.party == world.offices[CIVIL_AFFAIRS].partner.party_id) == (CIVIL_AFFAIRS, True)
    assert (other.office_id, other.party, other.referral_id) == (None, "operator", "r-1")
    assert pull(world.context, world.offices[office].partner.party_id, after=0, limit=10) == []
    world.deliver()
    told = world.offices[CIVIL_AFFAIRS].received[-1].envelope.data
    assert (told["programme"], told["from_month"], "other_agency" in told) == ("MLG", "2026-03", False)


def test_a_minors_side_has_less_time(sqlite_world: World) -> None:
    child = a_referral_body()["person"] | {
        "birth_date": "2015-01-01",
        "id_number": an_id_number(date(2015, 1, 1)),
        "guardian": {"name": "测试母", "relation": "mother"},
    }
    more = {"person": child, "guardian_consent_ref": "测试同意书1号"}
    sqlite_world.refer(**more)
    sqlite_world.refer(
        sqlite_world.neighbour,
        referral_id="r-2",
        case_number="（2026）黔03司救执2号",
        original_case_group="（2025）黔0302民初2号",
        **more,
    )
    reconcile_all(sqlite_world.context, now=sqlite_world.now)
    turn(sqlite_world)
    assert {one.due_at for one in match(sqlite_world).sides} == {datetime(2026, 3, 6, 16, tzinfo=UTC)}


def test_where_the_agreement_lets_agencies_see_each_other_an_office_learns_which_agency_it_is(
    sqlite_url: str,
) -> None:
    world = World(sqlite_url, agreement=AGREEMENT + "agencies_see_each_other = true\n")
    world.hand_over(needs=[{"programme": "MLG"}, {"programme": "LSD"}])
    listed = doubt(
        "DUP_EXCLUSIVE_PROGRAMMES",
        "D08",
        referral_id="r-1",
        need_id="r-1:1",
        must_act=CIVIL_AFFAIRS,
        subject="r-1:2:MLG+LSD",
        offices=[CIVIL_AFFAIRS, DISABLED_PERSONS],
        programmes=["MLG", "LSD"],
        other_need="r-1:2",
    )
    world.store.write(lambda c: findings.open_now(c, [(listed, "v1")], now=world.now))
    turn(world)
    world.deliver()
    told = world.offices[CIVIL_AFFAIRS].received[-1].envelope.data
    assert (told["other_agency"], told["other_programme"]) == ("disabled_persons", "LSD")
    world.close()
