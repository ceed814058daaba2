"""A gateway with two of everything, one inside and one outside each role's part, and somebody signed in as each role.

Inside: the courts of 520100 and 520103, civil affairs of 520102, region 5201. Outside: the courts of 520300 and
520400, civil affairs of 520302. `PLACEHOLDERS` of the test says which id stands for what; here the ids are made.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from flask import Flask

from gateway.domain.access import Role
from gateway.domain.agreement import Channel
from gateway.domain.reconciliation.findings import doubt
from gateway.flows import approve
from gateway.flows.adjudicate import adjudicate
from gateway.flows.reconcile import reconcile_all
from gateway.flows.statement_read import read_waiting
from gateway.store import findings
from gateway.store import tables as t
from gateway.web.site import create_site
from tests.builders import an_id_number
from tests.flows.statement_world import DOCUMENT, a_line, send
from tests.flows.test_reserve import ask as reserve
from tests.gateway_world import CIVIL_AFFAIRS, COURT, DISABLED_PERSONS, NEIGHBOUR, World, a_referral_body
from tests.log_world import LogWorld
from tests.web.people import Somebody, somebody

REGION, FAR = "5201", "civil_affairs-520302"
BESIDE, THIRD = "cn/court/520103", "cn/court/520400"
AGENCY = "cn/agency/civil_affairs.520102"
CLUE_PERSON = ("name", "id_type", "id_number", "sex", "birth_date", "household_registration_region")
SCOPED = (Role.RECONCILER, Role.AUDITOR, Role.COURT_CLERK, Role.AGENCY_CLERK)
"""Whose part of the exchange is less than all of it here."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everybody signed in. ids: what was made, by a name of our own."""

    world: World
    site: Flask
    people: dict[Role, Somebody]
    ids: dict[str, str]


@contextmanager
def staged(url: str) -> Iterator[Stage]:
    """All of it."""
    world = World(url)
    try:
        log = LogWorld(world)
        held = {name: world.partners[name].key for name in (COURT, AGENCY)}
        world.add_office("civil_affairs", Channel.PUSH, region="520302")
        world.add_court(BESIDE, "520103")
        world.add_court(THIRD, "520400")
        ids = _exchange(world)
        log.sign()
        world.context = replace(log.context, held=held)
        site = create_site(world.context, lambda: world.now, public_url=None)
        people = _people(world, site)
        ids |= _asked(world, people)
        yield Stage(world=world, site=site, people=people, ids=ids)
    finally:
        world.close()


def _person(number: int, region: str) -> dict[str, Any]:
    born = date(1970, 1, number)
    own = {"id_number": an_id_number(born), "birth_date": born.isoformat(), "household_registration_region": region}
    return {**a_referral_body()["person"], **own}


def _refer(world: World, court: Any, number: int, person: int, region: str) -> None:
    place = {COURT: "01", NEIGHBOUR: "03", BESIDE: "0103", THIRD: "04"}[court.party_id]
    world.refer(
        court,
        referral_id=f"r-{number}",
        case_number=f"（2026）黔{place}司救执{number}号",
        original_case_group=f"（2025）黔{place}02民初{number}号",
        person=_person(person, region),
        recipient_region=region,
    )


def _exchange(world: World) -> dict[str, str]:
    _refer(world, world.court, 1, 1, "520102")
    _refer(world, world.neighbour, 2, 2, "520302")
    world.dispatch()
    world.deliver(CIVIL_AFFAIRS)
    world.deliver(FAR)
    world.wait(timedelta(minutes=1))
    _refer(world, world.partners[BESIDE], 3, 1, "520102")  # the same person as r-1: a match of ours
    _refer(world, world.partners[THIRD], 4, 2, "520302")  # the same person as r-2: a match of others
    _clue(world, CIVIL_AFFAIRS, "k-1", "520102", 3)
    _clue(world, FAR, "k-2", "520302", 4)
    _inquire(world, world.court, "i-1", "520102", 5)
    _inquire(world, world.neighbour, "i-2", "520302", 6)
    stranger = {"id_type": "111", "id_number": an_id_number(date(1960, 1, 1))}
    reserve(world, "v-1", person=stranger)
    reserve(world, "v-2", FAR, person=stranger)
    send(world, [a_line(need_id="r-1:1")], statement_id="s-1")
    send(world, [a_line(need_id="r-2:1")], office_id=FAR, statement_id="s-2")
    read_waiting(world.context, now=world.now)
    reconcile_all(world.context, now=world.now)
    _doubt(world, "r-1", CIVIL_AFFAIRS, DISABLED_PERSONS)
    adjudicate(world.context, now=world.now)
    return _ids(world)


def _clue(world: World, office_id: str, clue_id: str, region: str, person: int) -> None:
    full = _person(person, region)
    who = {name: full[name] for name in CLUE_PERSON}
    body = {"clue_id": clue_id, "person": who, "circumstances": ["DOMESTIC_VIOLENCE"], "legal_basis": "STATUTORY_DUTY"}
    world.accept(world.offices[office_id].partner.sign("clue.submitted", body, now=world.now))


def _inquire(world: World, court: Any, inquiry_id: str, region: str, person: int) -> None:
    """A court asks civil affairs of a region about somebody."""
    full = _person(person, region)
    body = {
        "inquiry_id": inquiry_id,
        "agreement_document": DOCUMENT,
        "case_number": "（2026）黔01司救执9号",
        "person": {name: full[name] for name in CLUE_PERSON},
        "programmes": ["MLG"],
        "legal_basis": "STATUTORY_DUTY",
        "notice_given_at": "2026-02-28",
    }
    world.accept(court.sign("inquiry.asked", body, now=world.now))


def _doubt(world: World, referral_id: str, first: str, second: str) -> None:
    """Two offices for one person: both are asked."""
    found = doubt(
        "DUP_SAME_PROGRAMME_PERIOD",
        "D08",
        referral_id=referral_id,
        need_id=f"{referral_id}:1",
        must_act=second,
        subject="statement|s-1:1",
        offices=[first, second],
        programmes=["MLG", "MLG"],
        from_month="2026-03",
    )
    world.store.write(lambda c: findings.open_now(c, [(found, "v1")], now=world.now, origin="statement"))


def _ids(world: World) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in world.rows(t.handoffs):
        found[f"handoff of {row['referral_id']}"] = row["handoff_id"]
        found[f"message of {row['referral_id']}"] = row["message_id"]
    for row in world.rows(t.findings):
        found[f"finding of {row['referral_id']}"] = row["key"]
    for row in world.rows(t.match_sides):
        found[f"match of {row['referral_id']}"] = row["match_id"]
    for row in world.rows(t.outbox):
        if row["type"] in ("inquiry.forwarded", "match.notice"):
            found[f"{row['type']} to {row['office_id'] or row['recipient']}"] = row["message_id"]
    for key in world.keyring.keys_of(COURT):
        found["key"] = key.kid
    return found


def _people(world: World, site: Flask) -> dict[Role, Somebody]:
    more: dict[Role, dict[str, Any]] = {
        Role.RECONCILER: {"region": REGION},
        Role.AUDITOR: {"region": REGION},
        Role.COURT_CLERK: {"party_id": COURT},
        Role.AGENCY_CLERK: {"party_id": AGENCY},
    }
    return {role: somebody(world, site, role, **more.get(role, {})) for role in Role}


def _asked(world: World, people: dict[Role, Somebody]) -> dict[str, str]:
    """Something somebody asked for and nobody granted yet."""
    person = people[Role.ADMINISTRATOR].account
    fields = {"codes": False}
    asked = approve.ask(
        world.context, person, approve.RESET_ACCOUNT, "account:auditor", why="测试", now=world.now, fields=fields
    )
    return {"approval": asked}
