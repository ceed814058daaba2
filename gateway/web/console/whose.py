"""称谓 How the console writes who must act, who answered, who decided: courts and offices by name."""

from gateway.domain.agreement import PartyKind
from gateway.domain.reconciliation.findings import OPERATOR
from gateway.web.pages.shown import t, word
from gateway.web.pages.visit import Visit


def name_of(visit: Visit, code: str | None) -> str:
    """A party, an office, an agency, an account or the operator by name; what nobody knows as it is."""
    if not code:
        return ""
    if code == OPERATOR:
        return t("网关运维", "the gateway's operator")
    snapshot = visit.snapshot
    if code in snapshot.offices:
        return snapshot.offices[code].name_zh or code
    if code in snapshot.parties:
        return snapshot.parties[code].name_zh or code
    return word(code, "agency") if ":" not in code else code.removeprefix("account:")


def courts_of(visit: Visit) -> list[tuple[str, str]]:
    """(party id, name) of the courts somebody sees, to choose from."""
    found = [
        (one.party_id, f"{one.name_zh} {one.region}")
        for one in visit.snapshot.parties.values()
        if one.kind is PartyKind.COURT and visit.sees_court(one.party_id)
    ]
    return sorted(found, key=lambda one: one[1].rpartition(" ")[2])


def offices_of(visit: Visit) -> list[tuple[str, str]]:
    """(office id, name) of every office, to choose from."""
    found = [(one.office_id, f"{one.name_zh} {one.office_id}") for one in visit.snapshot.offices.values()]
    return sorted(found)
