"""演示人员 Who may sign in to a demonstration; synthetic people, all with one password."""

from datetime import datetime

from gateway.domain.access import Account, Role
from gateway.flows import accounts
from gateway.flows.context import Context
from gateway.sandbox.stories.story import COUNTIES, COURT
from gateway.sandbox.stories.story import party_of as told_by
from gateway.web.desk import Tour

DEMO_PASSWORD = "xianjie-demo-2024"  # noqa: S105 - of synthetic people in a folder that is thrown away
_TOLD_COUNTY = COUNTIES[0]
PEOPLE = (
    Account(name="admin", shown_as="样例系统管理员", role=Role.ADMINISTRATOR),
    Account(name="reconciler", shown_as="样例对账员甲", role=Role.RECONCILER),
    Account(name="reconciler2", shown_as="样例对账员乙", role=Role.RECONCILER),
    Account(name="auditor", shown_as="样例审计员", role=Role.AUDITOR),
    Account(name="keys", shown_as="样例密钥管理员甲", role=Role.KEY_OFFICER),
    Account(name="keys2", shown_as="样例密钥管理员乙", role=Role.KEY_OFFICER),
    Account(name="court", shown_as="样例法院经办人", role=Role.COURT_CLERK, party_id=COURT),
    Account(
        name="agency",
        shown_as="样例民政经办人",
        role=Role.AGENCY_CLERK,
        party_id=told_by("civil_affairs", _TOLD_COUNTY),
    ),
)
"""Who may sign in to the demonstration; each with the same password."""


def add_people(context: Context, now: datetime) -> None:
    """Their accounts."""
    for account in PEOPLE:
        accounts.create(context, account, password=DEMO_PASSWORD, who="demo", why="demonstration", now=now, final=True)


def tour_of(context: Context) -> Tour | None:
    """What the pages tell of them; None where a demonstration is another one's and they are not on file."""
    on_file = {row["name"] for row in accounts.every(context)}
    there = {account.name for account in PEOPLE} <= on_file
    return Tour(people=PEOPLE, password=DEMO_PASSWORD) if there else None
