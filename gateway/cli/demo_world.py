"""演示环境 What the demonstration is made of: a throw-away installation, keys, parties, offices, an agreement.

Everything lies in one folder that is removed afterwards; people are synthetic (529999) and every profile says so. The
clock of all processes is moved to August 2024, right after the period the synthetic province covers.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from importlib.resources import files
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from gateway.app import build_context, held_path
from gateway.cli.demo_people import PEOPLE, add_people
from gateway.cli.install import make_keys, own_public_keys, write_private
from gateway.config import DEFAULT_ADAPTERS, Config, load
from gateway.domain.agreement import Channel, Office, Party, PartyKind
from gateway.domain.regions import load_regions
from gateway.domain.rules import read_table
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.encryption import EncryptionKey
from gateway.envelope.keyring import PublicKey, SigningKey
from gateway.errors import MissingExtra, StoreUnavailable
from gateway.flows.context import Context
from gateway.sandbox.province import courts
from gateway.sandbox.stories.story import COUNTIES
from gateway.sandbox.stories.story import party_of as told_by
from gateway.store import directory
from gateway.store.engine import open_engine
from gateway.store.migrate import migrate

GATEWAY = "cn/gateway/520000"
BEGINNING = datetime(2024, 8, 1, 1, 0, tzinfo=UTC)
"""09:00 in China on the first day after the period, a Thursday."""
ENCRYPTED = "disabled_persons"
"""This agency registered a key for encryption: what it is sent, and what it sends, nobody on the way can read."""
PERIOD = (date(2023, 1, 1), date(2024, 7, 31))
PROVINCE = "520000"
AGENCY_NAMES = {row["agency"]: row["zh"] for row in read_table("agencies")}
COMMIT_EVERY = 10.0
"""Seconds between two commitments of a simulated agency."""
CHANNELS = {
    "civil_affairs": Channel.PUSH,
    "disabled_persons": Channel.PUSH,
    "womens_federation": Channel.MAILBOX,
}
_TOML = """# 演示用 for a demonstration only: synthetic people, throw-away keys, a shifted clock
[gateway]
party_id = "{party}"
database = "{database}"
keys = "keys"
port = 0
allow_addresses = ["127.0.0.1/32"]
demo = true
cutoff_minutes = 1

[adapters]
{adapters}
"""


@dataclass(frozen=True, kw_only=True)
class DemoWorld:
    """The folder, its configuration, and how far the clock is moved."""

    folder: Path
    config: Config
    offset: timedelta

    @property
    def config_path(self) -> Path:
        """`xianjie.toml` of the demonstration."""
        return self.folder / "xianjie.toml"

    def key(self, party_id: str) -> SigningKey:
        """A partner's private key."""
        return SigningKey.load_pem(self.key_path(party_id).read_bytes(), party_id)

    def key_path(self, party_id: str) -> Path:
        """Where a partner's private key lies."""
        return self.folder / "partners" / f"{party_id.replace('/', '_')}.pem"

    def journal_path(self, party_id: str) -> Path:
        """Where a partner's client keeps its journal."""
        return self.folder / f"journal-{party_id.replace('/', '_')}.sqlite"

    def decryption_path(self, party_id: str) -> Path:
        """Where the key lies that opens what is encrypted to a partner."""
        return self.key_path(party_id).with_suffix(".enc.pem")

    def clock(self) -> datetime:
        """The demonstration's time."""
        return datetime.now(UTC) + self.offset

    @property
    def environment(self) -> dict[str, str]:
        """What the gateway's process is started with besides its own environment."""
        return {
            "XIANJIE_CONFIG": str(self.config_path),
            "XIANJIE_DB": self.config.database,
            "XIANJIE_DATA_KEY": "",  # the folder's own, whatever is set outside
            "XIANJIE_CLOCK_OFFSET_SECONDS": str(self.offset.total_seconds()),
        }


def make_world(folder: Path, database: str) -> DemoWorld:
    """A new installation in the folder, with every party, key and the agreement registered."""
    offset = BEGINNING - datetime.now(UTC)
    adapters = "\n".join(f'{agency} = "{path}"' for agency, path in DEFAULT_ADAPTERS.items())
    path = folder / "xianjie.toml"
    path.write_text(_TOML.format(party=GATEWAY, database=database, adapters=adapters), encoding="utf-8")
    environment = {"XIANJIE_CLOCK_OFFSET_SECONDS": str(offset.total_seconds()), "XIANJIE_DB": database}
    world = DemoWorld(folder=folder, config=load(path, environment), offset=offset)
    make_keys(folder / "keys", GATEWAY)
    context = build_context(world.config)
    try:
        migrate(context.store)
        ourselves = Party(party_id=GATEWAY, kind=PartyKind.GATEWAY, name_zh="衔接网关", region=PROVINCE)
        public = own_public_keys(context, not_before=world.clock() - timedelta(hours=1))
        _register(context, world, ourselves, public)
        for party in _partners():
            _register(context, world, party, _new_keys(world, party.party_id))
        text = files("gateway.domain.rules").joinpath("agreement_sample.toml").read_text(encoding="utf-8")
        now = world.clock()
        context.store.write(
            lambda connection: directory.load_agreement(connection, text, programmes=context.programmes, now=now)
        )
        add_people(context, now)
    finally:
        context.store.close()
    hold_keys(world)
    jwks = {"keys": [{**key.jwk, "kid": key.kid, "use": key.use} for key in public]}
    (folder / "gateway-keys.json").write_text(json.dumps(jwks), encoding="utf-8")
    return world


def _partners() -> Iterator[Party]:
    for court in courts():
        yield Party(party_id=court.party_id, kind=PartyKind.COURT, name_zh=court.name_zh, region=court.region)
    for agency in CHANNELS:
        yield Party(
            party_id=party_of(agency),
            kind=PartyKind.AGENCY,
            name_zh=f"贵州省{AGENCY_NAMES[agency]}（模拟）",
            region=PROVINCE,
        )
    for county in COUNTIES:
        for agency in CHANNELS:
            yield Party(
                party_id=told_by(agency, county),
                kind=PartyKind.AGENCY,
                name_zh=_office_name(agency, county),
                region=county,
            )


def _office_name(agency: str, region: str) -> str:
    """Says where it is and that it is no real one."""
    found = load_regions().get(region)
    return f"{found.name_zh if found else region}{AGENCY_NAMES[agency]}（模拟）"


def party_of(agency: str) -> str:
    """The simulated agency's party: one for the whole province."""
    return f"cn/agency/{agency}.{PROVINCE}"


def _new_keys(world: DemoWorld, party_id: str) -> list[PublicKey]:
    """A key pair to sign with, and for the agency that wants to be written to encrypted a second one."""
    since = world.clock() - timedelta(hours=1)
    key = SigningKey.generate(Algorithm.ED25519, party_id)
    write_private(world.key_path(party_id), key.to_pem())
    if party_id != party_of(ENCRYPTED):
        return [key.public_key(not_before=since)]
    opening = EncryptionKey.generate(party_id)
    write_private(world.decryption_path(party_id), opening.to_pem())
    return [key.public_key(not_before=since), opening.public_key(not_before=since)]


def _register(context: Context, world: DemoWorld, party: Party, keys: Sequence[PublicKey]) -> None:
    now = world.clock()

    def write(connection: Connection) -> None:
        directory.add_party(connection, party, now=now)
        for key in keys:
            directory.add_key(connection, key, now=now)

    context.store.write(write)


def open_offices(world: DemoWorld, addresses: dict[str, str]) -> int:
    """One office an agency in every prefecture and in Nanming; addresses: where pushed-to agencies listen."""
    regions = [row["code"] for row in read_table("regions") if _is_prefecture(row)]
    context = build_context(world.config)
    try:
        for agency, channel in CHANNELS.items():
            for region in (*regions, "520102"):
                office = Office(
                    office_id=f"{agency}-{region}",
                    party_id=party_of(agency),
                    agency=agency,
                    region=region,
                    channel=channel,
                    url=addresses.get(agency),
                    batch=20 if channel is Channel.PUSH else 1,
                    name_zh=_office_name(agency, region),
                )
                context.store.write(partial(directory.put_office, office=office, now=world.clock()))
            for county in COUNTIES:
                told = Office(
                    office_id=f"{agency}-{county}",
                    party_id=told_by(agency, county),
                    agency=agency,
                    region=county,
                    channel=Channel.MAILBOX,
                    name_zh=_office_name(agency, county),
                )
                context.store.write(partial(directory.put_office, office=told, now=world.clock()))
    finally:
        context.store.close()
    return len(CHANNELS) * (len(regions) + 1 + len(COUNTIES))


def _is_prefecture(row: Mapping[str, str]) -> bool:
    return row["parent"] == PROVINCE and not row["replaced_by"]


def agency_toml(world: DemoWorld, agency: str, gateway_url: str) -> Path:
    """The configuration of one simulated agency's process."""
    party = party_of(agency)
    opening = world.decryption_path(party)
    decryption = f'decryption_key = "partners/{opening.name}"' if opening.exists() else ""
    text = f"""# 演示用 for a demonstration only
agency = "{agency}"
notebook = "{agency}.sqlite"
poll_wait = 2
commit_every = {COMMIT_EVERY}
clock_offset_seconds = {world.offset.total_seconds()}

[gateway]
party = "{GATEWAY}"
url = "{gateway_url}"
jwks = "gateway-keys.json"

[[desks]]
party = "{party}"
key = "partners/{party.replace("/", "_")}.pem"
channel = "{CHANNELS[agency].value}"
{decryption}

[behaviour]
{_BEHAVIOUR[agency]}
"""
    tomllib.loads(text)
    path = world.folder / f"{agency}.toml"
    path.write_text(text, encoding="utf-8")
    return path


_QUICK = """
delivered_after = 0.2
retrieved_after = 0.2
disposition_after = 0.5
decision_after = 1.0
payment_after = 1.5
"""
_BEHAVIOUR = {
    "civil_affairs": _QUICK + "denies = 0.06\nunknown_code = 0.004\noverpays = 0.006\nno_receipt = 0.02\n",
    "disabled_persons": _QUICK + "denies = 0.05\nsilent = 0.03\nwrong_digest = 0.02\n",
    "womens_federation": _QUICK + "denies = 0.04\nsilent = 0.02\n",
}


def hold_keys(world: DemoWorld) -> None:
    """The gateway signs for the two clerks: their parties' keys lie where it looks for them."""
    for account in PEOPLE:
        if account.party_id is not None:
            path = held_path(world.config, account.party_id)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(path, world.key_path(account.party_id).read_bytes())


@contextmanager
def demo_database(given: str | None, folder: Path, *, keep: bool) -> Iterator[str]:
    """The database to use: a file in the folder, or a schema of its own on the PostgreSQL that XIANJIE_DB names.

    Nothing that lies in that database already is touched; the schema is dropped afterwards unless kept.
    """
    if not given or given.startswith("sqlite"):
        yield f"sqlite:///{folder / 'xianjie.db'}"
        return
    name = f"xianjie_demo_{datetime.now(UTC):%Y%m%d%H%M%S%f}"
    try:
        engine = open_engine(given)
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(name))
    except ImportError as error:
        raise MissingExtra("postgres: pip install 'xianjie[postgres]'") from error
    except DBAPIError as error:
        raise StoreUnavailable(type(error.orig).__name__) from error
    url = sa.make_url(given).update_query_dict({"options": f"-csearch_path={name}"})
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        if not keep:
            with engine.begin() as connection:
                connection.execute(sa.schema.DropSchema(name, cascade=True))
        engine.dispose()
