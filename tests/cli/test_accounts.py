"""账号 `account`: the first people of an installation, and what an administrator of the machine may mend."""

import json
from datetime import UTC, datetime

import pytest

from gateway.domain.access import Role
from gateway.errors import SignInRefused
from gateway.flows import sign_in
from gateway.store import tables as t
from tests.cli.installed import COURT, Installed, party_of

ADDRESS = 'public_url = "https://gateway.example.test"\n\n[oidc]\nissuer = "https://id.example.test"\nclient_id = "x"\n'


def add(installed: Installed, name: str, role: str = "administrator", *more: str) -> str:
    """The first password."""
    return str(installed.done("account", "add", name, "--role", role, *more).stdout.strip())


def let_in(installed: Installed, name: str, password: str) -> sign_in.Session:
    now = datetime.now(UTC)
    with installed.context() as context:
        return sign_in.session_of(context, sign_in.sign_in(context, name, password, "", now=now), now=now)


def listed(installed: Installed) -> dict[str, dict[str, object]]:
    return {one["name"]: one for one in installed.json("account", "list")}


def with_provider(installed: Installed) -> None:
    text = installed.config_path.read_text(encoding="utf-8")
    installed.config_path.write_text(text.replace("[adapters]", f"{ADDRESS}\n[adapters]"), encoding="utf-8")


def test_the_first_administrator_of_a_fresh_installation_is_made_here(installed: Installed) -> None:
    assert installed.json("account", "list") == []
    session = let_in(installed, "first", add(installed, "first"))
    assert (session.account.role, session.must_change) == (Role.ADMINISTRATOR, True)
    assert listed(installed)["first"]["active"] is True


def test_a_machine_is_told_the_password_as_json(installed: Installed) -> None:
    told = installed.json("account", "add", "second", "--role", "key_officer")
    assert told["name"] == "second"
    let_in(installed, "second", told["password"])


def test_a_clerk_belongs_to_a_party_and_perhaps_to_some_offices(installed: Installed) -> None:
    add(installed, "court-one", "court_clerk", "--party", COURT, "--shown-as", "样例经办")
    agency = party_of("civil_affairs")
    add(installed, "desk-one", "agency_clerk", "--party", agency, "--office", "civil_affairs-520102")
    rows = listed(installed)
    assert (rows["court-one"]["scope"], rows["court-one"]["shown_as"]) == (COURT, "样例经办")
    assert (rows["desk-one"]["scope"], rows["desk-one"]["offices"]) == (agency, "civil_affairs-520102")


@pytest.mark.parametrize(
    "wrong",
    [
        ("A B", "administrator"),
        ("one", "court_clerk"),
        ("one", "court_clerk", "--party", "cn/court/nowhere"),
        ("one", "court_clerk", "--party", party_of("civil_affairs")),
        ("one", "agency_clerk", "--party", party_of("civil_affairs"), "--office", "nowhere"),
        ("one", "reconciler", "--region", "5"),
        ("one", "auditor", "--subject", "u-1"),
        ("one", "emperor"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_made(installed: Installed, wrong: tuple[str, ...]) -> None:
    name, role, *more = wrong
    result = installed.run("account", "add", name, "--role", role, *more)
    assert (result.exit_code, result.stdout.strip()) == (2, "")
    assert listed(installed) == {}


def test_one_name_is_one_account(installed: Installed) -> None:
    add(installed, "one")
    again = installed.run("account", "add", "one", "--role", "auditor")
    assert (again.exit_code, "exists" in again.stderr) == (2, True)


def test_a_disabled_account_is_out_until_it_is_enabled(installed: Installed) -> None:
    password = add(installed, "one")
    installed.done("account", "disable", "one", "--because", "离岗")
    assert listed(installed)["one"]["active"] is False
    with pytest.raises(SignInRefused):
        let_in(installed, "one", password)
    installed.done("account", "enable", "one")
    let_in(installed, "one", password)


def test_a_reset_gives_another_password(installed: Installed) -> None:
    before = add(installed, "one")
    after = installed.done("account", "reset", "one", "--codes").stdout.strip()
    with pytest.raises(SignInRefused):
        let_in(installed, "one", before)
    assert let_in(installed, "one", after).must_change


@pytest.mark.parametrize("command", ["disable", "enable", "reset"])
def test_an_account_that_is_not_there_is_said(installed: Installed, command: str) -> None:
    result = installed.run("account", command, "nobody")
    assert (result.exit_code, "not_found" in result.stderr) == (1, True)


def test_every_act_names_who_and_why_and_never_a_password(installed: Installed) -> None:
    password = add(installed, "one", "administrator", "--who", "值班员", "--because", "首次安装")
    installed.done("account", "disable", "one", "--who", "值班员", "--because", "演练")
    with installed.context() as context, context.store.reading() as connection:
        rows = connection.execute(t.decisions.select().order_by(t.decisions.c.row)).mappings().all()
    said = [(row["who"], row["what"], row["subject"]) for row in rows]
    assert said == [("值班员", "account_created", "account:one"), ("值班员", "account_disabled", "account:one")]
    assert "首次安装" in rows[0]["why"]
    assert password not in str(rows)


def test_an_account_is_linked_to_the_identity_provider(installed: Installed) -> None:
    with_provider(installed)
    told = installed.json("account", "add", "one", "--role", "auditor", "--subject", "u-1")
    assert told == {"name": "one", "password": None}
    assert (listed(installed)["one"]["subject"], listed(installed)["one"]["password"]) == (
        "https://id.example.test|u-1",
        False,
    )
    add(installed, "two")
    taken = installed.run("account", "link", "two", "--subject", "u-1")
    assert (taken.exit_code, "another account" in taken.stderr) == (2, True)
    installed.done("account", "link", "two", "--subject", "u-2")
    installed.done("account", "link", "one", "--subject", "")
    assert [row["subject"] for row in listed(installed).values()] == ["", "https://id.example.test|u-2"]


def test_without_a_provider_nobody_is_linked(installed: Installed) -> None:
    add(installed, "one")
    assert installed.run("account", "link", "one", "--subject", "u-1").exit_code == 2


def test_the_list_is_a_table_for_people(installed: Installed) -> None:
    add(installed, "one")
    text = installed.done("account", "list").stdout
    assert ("administrator" in text, "账号 name" in text) == (True, True)
    assert json.dumps("password") not in text
