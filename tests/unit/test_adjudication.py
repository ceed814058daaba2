"""匹配复核: what two dispositions come to is data, every pair has its row, and nobody is judged by one side alone."""

from itertools import combinations_with_replacement
from typing import Any

import pytest

from gateway.domain.adjudication import (
    DECIDED_AS,
    FINAL,
    STATE_OF,
    UNRESOLVED,
    DispositionCode,
    DoubtKind,
    Resolution,
    cause_of,
    judge,
    kind_of,
    load_pairs,
    match_id_of,
    sides_of,
)
from gateway.domain.lifecycle import MATCH, MatchState
from gateway.domain.person import Guardian, Person, WomenClass
from gateway.domain.person_notice import Occasion, PersonNotice, write
from gateway.domain.reconciliation.values import Finding
from gateway.domain.rules import read_table
from gateway.errors import IllegalMove
from schemas.match import DISPOSITIONS, STOPS_BY

KEEP, STOP = DispositionCode.SAME_HELP_KEEP_MINE, DispositionCode.STOP_MINE
COURTS = {"r-1": "cn/court/520100", "r-2": "cn/court/520300"}
OFFICES = {"o-1": "cn/agency/civil_affairs.520102", "o-2": "cn/agency/civil_affairs.520103"}


def a_doubt(code: str = "DUP_OPEN_REFERRAL", **evidence: Any) -> Finding:
    return Finding(
        code=code,
        rule_id="D09",
        referral_id="r-2",
        need_id="r-2:1",
        subject="r-1:1",
        evidence={"other_referral": "r-1", "other_need": "r-1:1", "programme": "MLG", **evidence},
    )


@pytest.mark.parametrize("pair", list(combinations_with_replacement(sorted(FINAL), 2)), ids=str)
def test_every_pair_has_one_row_in_either_order(pair: tuple[DispositionCode, DispositionCode]) -> None:
    first, second = pair
    assert judge(first, second, one_party=False) == judge(second, first, one_party=False)
    assert len(read_table("disposition_pairs")) == len(load_pairs()) == 15


def test_codes_on_the_wire_and_in_the_table_are_the_domains() -> None:
    assert {row["code"] for row in read_table("dispositions")} == set(DispositionCode) == set(DISPOSITIONS)
    assert {row["code"] for row in read_table("dispositions") if row["final"] == "yes"} == set(FINAL)
    assert len(STOPS_BY) == 3


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (KEEP, STOP, Resolution.DUPLICATE),
        (STOP, STOP, None),
        (KEEP, KEEP, None),
        (DispositionCode.LAWFUL_BOTH, DispositionCode.LAWFUL_BOTH, Resolution.LAWFUL),
        (DispositionCode.NOT_SAME_PERSON, DispositionCode.NOT_SAME_PERSON, Resolution.NOT_SAME_PERSON),
        (DispositionCode.NOT_SAME_PERSON, DispositionCode.LAWFUL_BOTH, None),
    ],
)
def test_compatible_words_resolve_and_others_go_before_a_person(
    first: DispositionCode, second: DispositionCode, expected: Resolution | None
) -> None:
    assert judge(first, second, one_party=False).resolution is expected


def test_one_party_on_both_sides_may_give_way_and_not_clear_itself() -> None:
    lawful = DispositionCode.LAWFUL_BOTH
    assert judge(lawful, lawful, one_party=True).resolution is None
    assert judge(KEEP, STOP, one_party=True).resolution is Resolution.DUPLICATE


def test_the_sides_of_a_doubt_between_referrals_are_their_courts() -> None:
    first, second = sides_of(a_doubt(), COURTS, OFFICES)
    assert (first.side, first.party, first.referral_id, first.need_id) == ("A", "cn/court/520300", "r-2", "r-2:1")
    assert (second.side, second.party, second.referral_id, second.need_id) == ("B", "cn/court/520100", "r-1", "r-1:1")


def test_the_sides_of_two_grants_are_the_two_offices_each_with_its_own_programme() -> None:
    finding = a_doubt("DUP_EXCLUSIVE_PROGRAMMES", offices=["o-1", "o-2"], programmes=["MLG", "ASD"])
    first, second = sides_of(finding, COURTS, OFFICES)
    assert [(one.office_id, one.party, one.programme) for one in (first, second)] == [
        ("o-1", OFFICES["o-1"], "MLG"),
        ("o-2", OFFICES["o-2"], "ASD"),
    ]


def test_the_operator_speaks_for_a_side_that_is_not_connected() -> None:
    unknown = a_doubt(other_referral="elsewhere", other_need=None)
    _, second = sides_of(unknown, COURTS, OFFICES)
    assert (second.party, second.referral_id) == ("operator", "r-2")
    third, fourth = sides_of(a_doubt("DUP_SAME_PROGRAMME_PERIOD", offices=["o-9", "o-2"]), COURTS, OFFICES)
    assert [(one.party, one.office_id) for one in (third, fourth)] == [("operator", None), (OFFICES["o-2"], "o-2")]


def test_a_pair_of_records_is_one_match_whichever_came_first_and_however_it_was_found() -> None:
    by_finding = cause_of("DUP_IDENTITY", "key", "r-2", "r-1")
    assert by_finding == cause_of("POSSIBLE_MATCH", None, "r-1", "r-2")
    assert match_id_of(by_finding) == match_id_of(by_finding)
    assert cause_of("DUP_OPEN_REFERRAL", "key", "r-2", "r-1") == "finding|key"
    assert kind_of("DUP_SAME_ORIGINAL_CASE") is DoubtKind.SAME_CASE


def test_every_state_can_be_left_and_every_resolution_decides_its_finding() -> None:
    assert all(MATCH.moves[state] for state in MatchState)
    assert set(STATE_OF) == set(Resolution)
    assert set(DECIDED_AS) == set(Resolution) - {Resolution.NO_LONGER_SEEN}
    for resolution, state in STATE_OF.items():
        assert MATCH.may(MatchState.ESCALATED, state), resolution
        assert MATCH.may(state, MatchState.APPEALED)
        assert MATCH.may(state, MatchState.CLOSED)
    for state in UNRESOLVED:
        assert not MATCH.may(state, MatchState.APPEALED)
        with pytest.raises(IllegalMove):
            MATCH.move(state, MatchState.CLOSED)


# --- the notice for the person ---


def told(person: Person, *, is_minor: bool = False, by_safe_channel: bool = False) -> PersonNotice:
    what = Occasion(
        match_id="m-1",
        kind=DoubtKind.SAME_HELP,
        programme=("最低生活保障", "minimum living guarantee"),
        due="2026-03-10",
        party="贵阳市中级人民法院",
        operator="衔接网关",
    )
    return write(person, what, is_minor=is_minor, by_safe_channel=by_safe_channel)


def text(notice: PersonNotice) -> str:
    return "\n".join(part for line in notice.lines for part in line)


WOMAN = Person(name="测试甲", sex="2", residence="测试路1号", guardian=Guardian(name="测试父", relation="father"))


def test_a_person_is_told_what_was_found_what_to_say_until_when_and_how_to_appeal() -> None:
    notice = told(WOMAN)
    for part in ("测试甲：", "最低生活保障", "测试路1号", "2026-03-10", "贵阳市中级人民法院", "衔接网关", "m-1"):
        assert part in text(notice)
    assert not notice.withheld


def test_for_a_minor_the_guardian_is_addressed_and_nothing_of_the_case_is_said() -> None:
    notice = told(WOMAN, is_minor=True)
    assert "测试父（监护人）：" in text(notice)
    assert "测试甲" not in text(notice)
    assert "最低生活保障" not in text(notice)
    assert "监护人：" in text(told(Person(name="测试甲"), is_minor=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"women_class": WomenClass.W2},
        {"women_class": WomenClass.W7},
        {"protection_order": True},
        {"safety_flag": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("is_minor", [False, True])
def test_a_protected_person_is_told_by_hand_alone_and_nothing_leads_to_her(
    changes: dict[str, Any], is_minor: bool
) -> None:
    person = Person(name="测试甲", residence="测试路1号", guardian=WOMAN.guardian, **changes)
    notice = told(person, is_minor=is_minor)
    assert (notice.withheld, len(notice.lines)) == (True, 1)
    by_hand = text(told(person, is_minor=is_minor, by_safe_channel=True))
    for part in ("测试甲", "测试父", "测试路1号", "最低生活保障", "贵阳市中级人民法院", "living guarantee"):
        assert part not in text(notice) + by_hand
    assert "本人亲收" in by_hand
