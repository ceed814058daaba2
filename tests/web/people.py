"""Somebody at a browser: signs in as a role, keeps cookies, fills in the token of every form.

The password is kept under a hash that costs nothing, because a kept hash names its own cost; what a real one costs is
for the tests of passwords and of the doors.
"""

import re
from dataclasses import dataclass, field
from hashlib import scrypt
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from gateway.domain.access import Account, Role
from gateway.flows import accounts
from gateway.store import accounts as stored
from tests.gateway_world import COURT, World

PASSWORD = "correct horse battery"
CHEAP = f"scrypt$2$8$1${bytes(16).hex()}${scrypt(PASSWORD.encode(), salt=bytes(16), n=2, r=8, p=1, dklen=32).hex()}"
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(kw_only=True)
class Somebody:
    """Signed in. `get` and `post` as a browser would; `post` carries the session's token."""

    site: Flask
    account: Account
    client: Any = field(default=None)
    token: str = ""

    def get(self, path: str, **more: Any) -> TestResponse:
        response: TestResponse = self.client.get(path, **more)
        return response

    def post(self, path: str, form: dict[str, Any] | None = None, *, follow: bool = True, **more: Any) -> TestResponse:
        """A form with this session's token; the password again where an act asks for it."""
        filled = {"csrf": self.token, "password_again": PASSWORD, **(form or {})}
        response: TestResponse = self.client.post(path, data=filled, follow_redirects=follow, **more)
        return response


def an_account(role: Role, **more: Any) -> Account:
    """Of this role; a clerk's party is named by the caller."""
    name = more.pop("name", role.value.replace("_", "-"))
    party = more.pop("party_id", COURT if role is Role.COURT_CLERK else None)
    return Account(name=name, shown_as=more.pop("shown_as", "样例人员"), role=role, party_id=party, **more)


def somebody(world: World, site: Flask, role: Role, **more: Any) -> Somebody:
    """A new account of this role, signed in."""
    account = an_account(role, **more)
    subject = f"nobody|{account.name}"
    accounts.create(world.context, account, password=None, subject=subject, who="test", why="test", now=world.now)
    world.store.write(lambda c: stored.set_values(c, account.name, {"password": CHEAP, "subject": None}))
    return signed_in(site, account)


def signed_in(site: Flask, account: Account, password: str = PASSWORD) -> Somebody:
    """Through the door, as everybody."""
    person = Somebody(site=site, account=account, client=site.test_client())
    door = person.get("/sign-in")
    token = _TOKEN.search(door.text)
    assert token is not None
    answer = person.client.post("/sign-in", data={"csrf": token[1], "name": account.name, "password": password})
    assert answer.status_code == 303, answer.text
    own = _TOKEN.search(person.get("/account").text)
    assert own is not None
    person.token = own[1]
    return person
