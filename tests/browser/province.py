"""The told cases on one gateway behind a real server on loopback, with somebody of every role: what browsers look at.

People are synthetic (529999). The clock stands still where the stories left it, so that a page is the same every time.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from gateway.cli.demo_people import add_people, tour_of
from gateway.flows.adjudicate import adjudicate
from gateway.flows.reconcile import reconcile_all
from gateway.sandbox.stories.programme import acts
from gateway.sandbox.stories.story import COUNTIES, COURT, party_of
from gateway.web.server import open_server
from gateway.web.site import create_site
from tests.gateway_world import World
from tests.log_world import LogWorld
from tests.stories.world_stage import WorldStage

AGENCY_PARTY = party_of("civil_affairs", COUNTIES[0])


@dataclass(frozen=True, kw_only=True)
class Province:
    """A gateway with the told cases, and where it answers."""

    world: World
    log: LogWorld
    url: str


@contextmanager
def province(folder: Path) -> Iterator[Province]:
    """Played, reconciled, signed, served; everything is stopped at the end."""
    world = World(f"sqlite:///{folder / 'gateway.sqlite'}")
    stage = WorldStage(world)
    for _ in acts(stage):
        stage.deliver()
    stage.deliver()
    world.wait(timedelta(hours=1))
    held = {party: world.partners[party].key for party in (COURT, AGENCY_PARTY)}
    log = LogWorld(world)
    world.context = replace(log.context, held=held)
    reconcile_all(world.context, now=world.now)
    while not adjudicate(world.context, now=world.now).is_idle:
        pass
    log.sign()
    add_people(world.context, world.now)
    site = create_site(world.context, lambda: world.now, public_url=None, tour=tour_of(world.context))
    server = open_server(site, host="127.0.0.1", port=0, threads=8)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Province(world=world, log=log, url=f"http://127.0.0.1:{server.effective_port}")
    finally:
        server.close()
        world.close()
