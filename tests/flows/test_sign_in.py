"""登录与账号 Signing in, on either engine: guesses count where they were made, sessions end, two people make one."""

from datetime import timedelta

import pytest

from gateway.domain.access import Account, Role
from gateway.errors import Forbidden, NotSignedIn, SecondPersonNeeded, SignInRefused
from gateway.flows import account_requests, accounts, approve, passwords, sign_in
from gateway.flows.sign_in import Session
from gateway.store import accounts as stored
from gateway.store import tables as t
from tests.gateway_world import COURT, World

PASSWORD = "correct horse battery"
HOME = "a browser of his own"


def made(world: World, name: str = "one", role: Role = Role.AUDITOR) -> Account:
    account = Account(name=name, shown_as="样例", role=role)
    accounts.create(world.context, account, password=PASSWORD, who="t", why="t", now=world.now, final=True)
    return account


def enter(world: World, name: str = "one", password: str = PASSWORD, browser: str | None = None) -> str:
    return sign_in.sign_in(world.context, name, password, "", now=world.now, browser=browser)


def session(world: World, name: str = "one") -> Session:
    return sign_in.session_of(world.context, enter(world, name), now=world.now)


def test_a_password_is_kept_at_its_full_cost(world: World) -> None:
    made(world)
    (row,) = world.rows(t.accounts)
    assert row["password"].startswith("scrypt$32768$8$1$")
    assert PASSWORD not in row["password"]


def test_guesses_are_counted_where_they_are_made(world: World) -> None:
    made(world)
    enter(world, browser=HOME)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            enter(world, password="wrong")
    with pytest.raises(SignInRefused):
        enter(world)
    enter(world, browser=HOME)
    world.wait(timedelta(minutes=15))
    enter(world)
    assert [row["what"] for row in world.rows(t.decisions)].count("account_locked") == 1


def test_a_name_no_account_can_have_asks_the_database_nothing(world: World) -> None:
    for name in ("", "\0", "x" * 300, "ONE"):
        with pytest.raises(SignInRefused):
            enter(world, name)


def test_sessions_end_by_rest_and_by_hand(world: World) -> None:
    made(world)
    token = enter(world)
    world.wait(timedelta(minutes=30))
    with pytest.raises(NotSignedIn):
        sign_in.session_of(world.context, token, now=world.now)
    enter(world)
    assert accounts.end_sessions(world.context, "one", session=None, who="t", why="t", now=world.now) == 1
    assert world.rows(t.sign_ins) == []


def test_a_session_is_over_after_ten_hours_however_busy(world: World) -> None:
    made(world)
    token, began = enter(world), world.now
    while world.now - began < timedelta(hours=9, minutes=40):
        world.wait(timedelta(minutes=20))
        sign_in.session_of(world.context, token, now=world.now)
    world.wait(timedelta(minutes=20))
    with pytest.raises(NotSignedIn):
        sign_in.session_of(world.context, token, now=world.now)


def test_a_code_is_good_once_even_for_two_who_type_it_at_once(world: World) -> None:
    made(world)
    here = session(world)
    secret = accounts.offer_secret()
    code = passwords.code_at(secret, world.now)
    accounts.enrol(world.context, here, secret, code, now=world.now)
    world.wait(timedelta(seconds=90))
    fresh = passwords.code_at(secret, world.now)
    sign_in.sign_in(world.context, "one", PASSWORD, fresh, now=world.now)
    with pytest.raises(SignInRefused):
        sign_in.sign_in(world.context, "one", PASSWORD, fresh, now=world.now)


def test_what_is_kept_lets_nobody_in(world: World) -> None:
    made(world)
    token = enter(world, browser=HOME)
    kept = str([world.rows(table) for table in (t.accounts, t.sign_ins, t.known_browsers, t.decisions)])
    assert [text for text in (token, HOME, PASSWORD) if text in kept] == []


def test_two_people_make_an_account(world: World) -> None:
    made(world, "first", Role.ADMINISTRATOR)
    officer = made(world, "second", Role.KEY_OFFICER)
    here = session(world, "first")
    wanted = Account(name="new", shown_as="样例", role=Role.COURT_CLERK, party_id=COURT)
    asked = account_requests.ask_new(world.context, here, wanted, why="测试", now=world.now)
    with pytest.raises(SecondPersonNeeded):
        account_requests.carry_out(world.context, here, asked, now=world.now)
    with pytest.raises(Forbidden):
        approve.decide(world.context, here.account, asked, grant=True, why="x", now=world.now)
    approve.decide(world.context, officer, asked, grant=True, why="x", now=world.now)
    done = account_requests.carry_out(world.context, here, asked, now=world.now)
    assert enter(world, "new", done.given)
    with pytest.raises(SecondPersonNeeded):
        account_requests.carry_out(world.context, here, asked, now=world.now)


def test_who_lost_the_right_uses_nothing_any_more(world: World) -> None:
    made(world, "first", Role.ADMINISTRATOR)
    officer = made(world, "second", Role.KEY_OFFICER)
    here = session(world, "first")
    wanted = Account(name="new", shown_as="样例", role=Role.AUDITOR)
    asked = account_requests.ask_new(world.context, here, wanted, why="测试", now=world.now)
    approve.decide(world.context, officer, asked, grant=True, why="x", now=world.now)
    changed = Account(name="first", shown_as="样例", role=Role.AUDITOR)
    accounts.change(world.context, changed, session=None, who="t", why="t", now=world.now)
    with pytest.raises(SecondPersonNeeded):
        account_requests.carry_out(world.context, session(world, "first"), asked, now=world.now)


def test_what_is_over_is_dropped(world: World) -> None:
    made(world)
    enter(world, browser=HOME)
    world.wait(timedelta(days=91))
    world.store.write(lambda connection: stored.forget(connection, now=world.now))
    assert (world.rows(t.sign_ins), world.rows(t.known_browsers)) == ([], [])
