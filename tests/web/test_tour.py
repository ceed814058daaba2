"""演示导览 Only a demonstration says who may sign in."""

from flask import Flask

from gateway.cli.demo_people import DEMO_PASSWORD, PEOPLE, tour_of
from gateway.domain.access import Account, Role
from gateway.flows import accounts
from gateway.web.desk import Tour
from gateway.web.site import create_site
from tests.gateway_world import World


def test_no_other_installation_has_the_page_or_the_password(world: World, site: Flask) -> None:
    assert site.test_client().get("/tour").status_code == 404
    assert DEMO_PASSWORD not in site.test_client().get("/sign-in").text


def test_a_demonstration_tells_its_people_at_the_door_and_on_the_tour(world: World) -> None:
    tour = Tour(people=PEOPLE, password=DEMO_PASSWORD)
    client = create_site(world.context, lambda: world.now, public_url=None, tour=tour).test_client()
    for path in ("/tour", "/sign-in"):
        page = client.get(path).text
        assert [one.name for one in PEOPLE if f"<code>{one.name}</code>" not in page] == []
        assert DEMO_PASSWORD in page


def test_where_its_people_are_not_on_file_there_is_no_tour(world: World) -> None:
    somebody = Account(name="admin", shown_as="样例", role=Role.ADMINISTRATOR)
    accounts.create(world.context, somebody, password=None, who="test", why="test", now=world.now)
    assert tour_of(world.context) is None
