"""移送更正 What differs between two versions, what of it may be amended, what is put over what."""

from typing import Any

import pytest

from gateway.domain.amendment import changed, not_amendable, overlaid, row_of
from gateway.domain.rules import read_table
from gateway.flows.read_referral import read_referral
from schemas.referral import ReferralSchema
from tests.gateway_world import COURT, a_referral_body

BODY = a_referral_body()


def differing(**changes: Any) -> tuple[str, ...]:
    before = read_referral(BODY, court=COURT)
    return changed(before, read_referral(BODY | changes, court=COURT))


def test_the_same_referral_differs_in_nothing() -> None:
    assert differing() == ()


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"person": BODY["person"] | {"phone": "13800000009"}}, ("/person/phone",)),
        ({"survey": BODY["survey"] | {"date": "2026-02-21"}}, ("/survey/date",)),
        ({"survey": BODY["survey"] | {"investigators": ["甲", "乙", "丙"]}}, ("/survey/investigators",)),
        ({"needs": [{"programme": "MLG", "note": "另有说明"}]}, ("/needs/0/note",)),
        ({"needs": [{"programme": "MLG"}, {"programme": "EDU"}]}, ("/needs",)),
        ({"custody": "由姑姑代管", "urgency": "URGENT_24H"}, ("/urgency", "/custody")),
    ],
)
def test_what_differs_is_named_field_by_field(changes: dict[str, Any], pointers: tuple[str, ...]) -> None:
    assert differing(**changes) == pointers


def test_a_field_within_an_amendable_one_is_amendable_and_no_other() -> None:
    pointers = (
        "/survey/date",
        "/needs/3/note",
        "/custody",
        "/needs/3/programme",
        "/person",
        "/person/name",
        "/surveys",
    )
    assert not_amendable(pointers) == ("/needs/3/programme", "/person", "/person/name", "/surveys")


def test_every_row_of_the_table_is_a_field_of_a_referral() -> None:
    for row in read_table("amendable"):
        shape: Any = ReferralSchema()
        for name in row["pointer"].split("/")[1:]:
            shape = shape.inner if name == "*" else shape.fields[name]
            shape = getattr(shape, "nested", shape)
            shape = shape() if isinstance(shape, type) else shape


def test_what_says_who_what_or_how_much_is_in_no_row() -> None:
    never = ("/referral_id", "/person/name", "/person/id_number", "/person/guardian/id_number", "/needs/0/programme",
             "/decided_amount_fen", "/decision", "/agreement_document", "/case_number", "/person/disability/grade",
             "/person/household/0/id_number", "/urgency", "/person/household_registration_region")  # fmt: skip
    assert [pointer for pointer in never if row_of(pointer) is not None] == []


def test_only_what_may_be_amended_is_put_over_what_was() -> None:
    typed = {
        **BODY,
        "decided_amount_fen": 1,
        "person": {**BODY["person"], "name": "别人", "phone": "13800000009"},
        "needs": [{"programme": "EDU", "note": "另有说明"}],
        "custody": "由姑姑代管",
    }
    del typed["contact"]
    found = overlaid(BODY, typed)
    expected = {
        **BODY,
        "person": {**BODY["person"], "phone": "13800000009"},
        "needs": [{"programme": "MLG", "note": "另有说明"}],
        "custody": "由姑姑代管",
    }
    del expected["contact"]
    assert found == expected
    assert BODY == a_referral_body()
