"""A stage for stories inside one test: the gateway of `gateway_world` with the offices of the two counties."""

from datetime import timedelta
from typing import Any

from gateway.cli.demo_stage import OPERATIONS
from gateway.domain.agreement import Channel
from gateway.domain.regions import load_regions
from gateway.domain.rules import read_table
from gateway.envelope import token
from gateway.envelope.message import new_id
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.flows.mailbox import pull
from gateway.sandbox.province import courts
from gateway.sandbox.stories.story import AGENCIES, COUNTIES, Told
from gateway.web.site import create_site
from tests.gateway_world import GATEWAY, World


class WorldStage:
    """Plays stories; `deliver` is what happens between two acts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._heard: dict[str, list[VerifiedMessage]] = {}
        regions, words = load_regions(), {row["agency"]: row["zh"] for row in read_table("agencies")}
        for court in courts():
            world.add_court(court.party_id, court.region, court.name_zh)
        for county in COUNTIES:
            for agency in AGENCIES:
                if f"{agency}-{county}" not in world.offices:
                    name = f"{one.name_zh if (one := regions.get(county)) else county}{words[agency]}"
                    world.add_office(agency, Channel.MAILBOX, county, name_zh=name)

    @property
    def now(self) -> Any:
        return self.world.now

    def send(
        self,
        party: str,
        type_: str,
        data: Any,
        *,
        subject: str | None = None,
        answers: VerifiedMessage | None = None,
        content_type: str = "application/json",
    ) -> Told:
        self.world.wait(timedelta(seconds=1))
        named = {} if answers is None else {"in_reply_to": answers.envelope.id, "in_reply_to_digest": answers.digest}
        raw = self.world.partners[party].sign(
            type_, data, now=self.now, subject=subject, conversation_id=subject, datacontenttype=content_type, **named
        )
        receipt = self.world.accept(raw)
        return Told(
            message_id=receipt.message_id,
            holds=tuple(receipt.holds),
            warnings=tuple(warning.code for warning in receipt.warnings),
        )

    def heard(self, party: str, type_: str, matter: str) -> list[VerifiedMessage]:
        mine = self._heard.setdefault(party, [])
        after = max((message.envelope.seq or 0 for message in mine), default=0)
        while found := pull(self.world.context, party, after=after, limit=500):
            for seq, wire in found:
                mine.append(verify(wire.encode(), self.world.keyring, recipient=party, now=self.now))
                after = seq
        return [one for one in mine if one.envelope.type == type_ and one.envelope.subject == matter]

    def put(self, party: str, path: str, body: bytes, content_type: str) -> None:
        url = f"http://localhost{path}"
        key = self.world.partners[party].key
        proof = token.issue(key, audience=GATEWAY, method="PUT", url=url, now=self.now, jti=new_id(self.now))
        site = create_site(self.world.context, lambda: self.world.now, public_url=None)
        headers = {"Authorization": f"Bearer {proof}"}
        done = site.test_client().put(path, data=body, content_type=content_type, headers=headers)
        assert done.status_code < 300, done.get_data(as_text=True)

    def operate(self, action: str, **fields: Any) -> None:
        OPERATIONS[action](self.world.context, self.now, **fields)

    def deliver(self) -> None:
        """Everything that waits is handed out, and a minute passes."""
        self.world.wait(timedelta(minutes=1))
        while self.world.dispatch().handoffs:
            pass
