"""所指之人 The fields with which a form of either portal names somebody, by as little as tells who it is.

Rules: they travel by form alone and stand in no address, no log and no list; which number fits which kind of document,
and that there is one, is the gateway's to say of each message.
"""

from collections.abc import MutableSequence

from gateway.errors import FieldProblem
from gateway.web.pages.filled import Typed, iso_day, read_field
from gateway.workbook.court_codes import read_code

PERSON_FIELDS = ("name", "id_type", "id_number", "sex", "birth_date", "phone", "household_registration_region")


def read_person(typed: Typed, problems: MutableSequence[FieldProblem]) -> dict[str, str]:
    """The wire's person of what was typed, without what was left blank."""
    said = {
        **{name: typed[name] for name in PERSON_FIELDS},
        "id_number": typed["id_number"].upper(),
        "birth_date": read_field(iso_day, typed, "birth_date", problems),
        "household_registration_region": read_field(_region, typed, "household_registration_region", problems),
    }
    return {name: value for name, value in said.items() if value}


def _region(text: str) -> str:
    return read_code("region", text)
