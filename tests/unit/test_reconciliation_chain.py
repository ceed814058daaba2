"""One time line per household. Each docstring is the ledger under test."""

from datetime import date

from gateway.domain.reconciliation.chain import CHAIN_NAMES, ChainKind, HouseholdChain, household_chain
from gateway.domain.reconciliation.values import Dossier
from tests.builders import (
    COURT,
    DECIDED_FEN,
    OFFICE,
    a_dossier,
    a_handoff_row,
    a_need,
    a_relative,
    a_reply,
    at,
)

FEDERATION = "disabled_persons-520102"


def a_household() -> Dossier:
    return a_dossier(
        needs=(
            a_need(),
            a_need(need_id="n-2", programme="ASD", agency="disabled_persons", office_id=FEDERATION, handoff_id="h-2"),
        ),
        handoffs=(
            a_handoff_row(),
            a_handoff_row(
                handoff_id="h-2", agency="disabled_persons", office_id=FEDERATION, issued_at=at("2026-03-03 10:05")
            ),
        ),
        replies=(
            a_reply("SERVICE_DELIVERED", "2026-03-20 10:00", need_id="n-2", handoff_id="h-2", office=FEDERATION),
            a_reply("ACCEPTED"),
            a_reply("APPROVED", "2026-03-11 10:00", amount_fen=60_000),
            a_reply("PAID", "2026-03-16 10:00", amount_fen=60_000),
        ),
    )


def kinds(chain: HouseholdChain) -> list[ChainKind]:
    return [event.kind for event in chain.events]


def test_the_chain_runs_from_the_original_case_to_the_help_of_each_agency() -> None:
    """
    original case; 03-02 decision; 03-03 referral, two handoffs; 03-05 taken up; 03-06 the court pays;
    03-11 granted; 03-16 paid; 03-20 the federation delivers a device
    """
    chain = household_chain([a_household()])
    expected = [
        ChainKind.ORIGINAL_CASE,
        ChainKind.DECISION,
        ChainKind.REFERRAL,
        ChainKind.HANDOFF,
        ChainKind.HANDOFF,
        ChainKind.REPLY,
        ChainKind.COURT_PAYMENT,
        ChainKind.ASSISTANCE,
        ChainKind.ASSISTANCE,
        ChainKind.ASSISTANCE,
    ]
    assert expected == kinds(chain)
    assert ("civil_affairs", "disabled_persons") == chain.agencies
    assert (DECIDED_FEN, 60_000) == (chain.paid_by_courts_fen, chain.paid_by_agencies_fen)


def test_each_link_says_who_did_what_for_which_need() -> None:
    """03-20 the federation delivers a device."""
    last = household_chain([a_household()]).events[-1]
    assert (FEDERATION, "SERVICE_DELIVERED", "ASD", "n-2") == (last.who, last.what, last.programme, last.need_id)
    assert (date(2026, 3, 20), at("2026-03-20 10:00")) == (last.day, last.at)


def test_decision_and_original_case_stand_first_although_they_have_no_hour() -> None:
    """decided and referred on one day."""
    same_day = a_dossier(referral={"accepted_at": at("2026-03-02 08:00")}, needs=(), handoffs=(), court_payments=())
    chain = household_chain([same_day])
    assert [ChainKind.ORIGINAL_CASE, ChainKind.DECISION, ChainKind.REFERRAL] == kinds(chain)
    assert chain.events[0].day is None


def test_a_day_is_a_china_day() -> None:
    """answered on 5 March 00:30 China time, still the 4th in UTC."""
    chain = household_chain([a_dossier(replies=(a_reply("ACCEPTED", "2026-03-05 00:30"),))])
    (reply,) = [event for event in chain.events if event.kind is ChainKind.REPLY]
    assert date(2026, 3, 5) == reply.day


def test_the_order_the_dossiers_are_given_in_does_not_matter() -> None:
    """mother and child, two referrals."""
    mother = a_household()
    child = a_dossier(
        referral={"referral_id": "r-3", "original_case_group": None, "accepted_at": at("2026-03-04 09:00")},
        needs=(),
        handoffs=(),
        court_payments=(),
    )
    assert household_chain([mother, child]) == household_chain([child, mother])
    assert ("r-1", "r-3") == household_chain([mother, child]).referral_ids


def test_other_referrals_the_dossier_tells_of_are_on_the_chain_once() -> None:
    """2026-01 Zunyi; 2026-03 Guiyang, whose dossier tells of Zunyi's, and Zunyi's own."""
    other = a_relative(a_need(need_id="n-9"), accepted_at=at("2026-01-05"), concluded_on=date(2026, 1, 4))
    told = a_dossier(others=(other,))
    own = Dossier(referral=other.referral, needs=other.needs)
    assert ("r-2", "r-1") == household_chain([told]).referral_ids
    assert len(household_chain([told]).events) == len(household_chain([told, own]).events)


def test_a_reply_that_was_not_applied_is_shown_and_not_counted() -> None:
    """paid, but for a need the handoff did not ask for."""
    stray = a_reply("PAID", amount_fen=60_000, need_id="n-7", applied=False, problem="unknown_need")
    chain = household_chain([a_dossier(replies=(stray,))])
    assert [False] == [event.applied for event in chain.events if event.kind is ChainKind.ASSISTANCE]
    assert ((), 0) == (chain.agencies, chain.paid_by_agencies_fen)


def test_money_the_bank_returned_is_not_counted_as_paid() -> None:
    """paid 600, returned, paid 600 again."""
    replies = (
        a_reply("PAID", "2026-03-10 10:00", amount_fen=60_000),
        a_reply("PAYMENT_RETURNED", "2026-03-12 10:00"),
        a_reply("PAID", "2026-03-16 10:00", amount_fen=60_000),
    )
    assert 60_000 == household_chain([a_dossier(replies=replies)]).paid_by_agencies_fen


def test_a_code_nobody_knows_is_shown_without_the_agencys_own_words() -> None:
    """the agency answers 77."""
    unknown = a_reply(None, raw_code="77", applied=False, problem="unknown_code")
    chain = household_chain([a_dossier(replies=(unknown,))])
    assert [("", OFFICE)] == [(event.what, event.who) for event in chain.events if event.kind is ChainKind.REPLY]


def test_a_refused_case_has_a_chain_too() -> None:
    """no aid decided; nothing referred."""
    chain = household_chain([a_dossier(needs=(), handoffs=(), court_payments=())])
    assert [COURT, COURT, COURT] == [event.who for event in chain.events]


def test_every_link_has_its_name_and_nothing_is_no_chain() -> None:
    assert set(ChainKind) == set(CHAIN_NAMES)
    assert () == household_chain([]).events


def test_social_aid_after_judicial_aid_is_shown_as_its_complement() -> None:
    """2026-03-02 the court aids; 2026-03-05 civil affairs grants the guarantee: what the linkage is for (CX01)."""
    dossier = a_dossier(replies=(a_reply("APPROVED", programme="MLG"),))
    (joined,) = household_chain([dossier]).complements
    assert ("CX01", "complement", ("JUDICIAL", "MLG")) == (joined.rule_id, joined.verdict, joined.programmes)
