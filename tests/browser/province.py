"""The told cases on one gateway behind a real server on loopback, with somebody of every role: what browsers look at.

People are synthetic (529999). The clock stands still where the stories left it, so that a page is the same every time.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from gateway.cli.demo_world import DEMO_PASSWORD
from gateway.domain.access import Account, Role
from gateway.flows import accounts
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
PEOPLE = (
    Account(name="admin", shown_as="样例系统管理员", role=Role.ADMINISTRATOR),
    Account(name="reconciler", shown_as="样例对账员甲", role=Role.RECONCILER),
    Account(name="reconciler2", shown_as="样例对账员乙", role=Role.RECONCILER),
    Account(name="auditor", shown_as="样例审计员", role=Role.AUDITOR),
    Account(name="keys", shown_as="样例密钥管理员甲", role=Role.KEY_OFFICER),
    Account(name="keys2", shown_as="样例密钥管理员乙", role=Role.KEY_OFFICER),
    Account(name="court", shown_as="样例法院经办人", role=Role.COURT_CLERK, party_id=COURT),
    Account(name="agency", shown_as="样例民政经办人", role=Role.AGENCY_CLERK, party_id=AGENCY_PARTY),
)


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
    for account in PEOPLE:
        accounts.create(
            world.context, account, password=DEMO_PASSWORD, who="test", why="test", now=world.now, final=True
        )
    site = create_site(world.context, lambda: world.now, public_url=None)
    server = open_server(site, host="127.0.0.1", port=0, threads=8)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Province(world=world, log=log, url=f"http://127.0.0.1:{server.effective_port}")
    finally:
        server.close()
        world.close()
