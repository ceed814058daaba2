"""名录 `xianjie party`, `office`, `agreement`: who exchanges, which desk helps where, on which document."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gateway.cli.console import Installation, json_option, print_json, say, table, with_installation
from gateway.domain.agreement import Channel, Office, Party, PartyKind
from gateway.errors import ConfigError
from gateway.store import directory


@click.group()
def party() -> None:
    """交换主体 Parties that exchange messages."""


@party.command("add")
@click.argument("party_id")
@click.option("--kind", type=click.Choice([kind.value for kind in PartyKind]), required=True)
@click.option("--name", required=True, help="名称 name in Chinese")
@click.option("--region", required=True, help="行政区划代码 GB/T 2260, six digits")
@with_installation
def party_add(installation: Installation, party_id: str, kind: str, name: str, region: str) -> None:
    """登记 Registers a party; the same again changes nothing."""
    added = Party(party_id=party_id, kind=PartyKind(kind), name_zh=name, region=region)
    with installation.open() as (context, clock):
        context.store.write(lambda connection: directory.add_party(connection, added, now=clock()))
    say(f"已登记 registered {party_id}; next: xianjie keys register {party_id} FILE.jwk")


@party.command("list")
@json_option
@with_installation
def party_list(installation: Installation, as_json: bool) -> None:
    """列出 Every party with its usable keys."""
    with installation.open() as (context, clock):
        now = clock()
        snapshot = context.snapshot(now)
        rows = [
            {
                "party_id": one.party_id,
                "kind": one.kind.value,
                "region": one.region,
                "active": one.active,
                "keys": sum(key.usable_at(now) for key in snapshot.keyring.keys_of(one.party_id)),
                "name": one.name_zh,
            }
            for one in snapshot.parties.values()
        ]
    _show(rows, as_json)


@party.command("suspend")
@click.argument("party_id")
@with_installation
def party_suspend(installation: Installation, party_id: str) -> None:
    """暂停 Nothing of the party is believed until it is resumed."""
    _set_active(installation, party_id, active=False)


@party.command("resume")
@click.argument("party_id")
@with_installation
def party_resume(installation: Installation, party_id: str) -> None:
    """恢复 The party's keys count again."""
    _set_active(installation, party_id, active=True)


def _set_active(installation: Installation, party_id: str, *, active: bool) -> None:
    with installation.open() as (context, clock):
        now = clock()
        context.store.write(lambda connection: directory.set_party_active(connection, party_id, active=active, now=now))
    say(f"{party_id}: {'已恢复 resumed' if active else '已暂停 suspended'}")


@click.group()
def office() -> None:
    """承办单位 Offices that receive handoffs."""


@office.command("put")
@click.argument("office_id")
@click.option("--party", "party_id", required=True, help="以何主体收发 the party that answers for it")
@click.option("--agency", required=True, help="部门 e.g. civil_affairs")
@click.option("--region", required=True)
@click.option("--channel", type=click.Choice([channel.value for channel in Channel]), required=True)
@click.option("--url", help="推送地址 for push")
@click.option(
    "--batch", type=click.IntRange(1, 100), default=1, show_default=True, help="每次推送件数 handoffs a request"
)
@click.option("--name", default="", help="名称")
@with_installation
def office_put(installation: Installation, **particulars: Any) -> None:
    """登记或变更 Adds an office or changes its particulars."""
    particulars["channel"] = Channel(particulars["channel"])
    particulars["name_zh"] = particulars.pop("name")
    added = Office(**particulars)
    with installation.open() as (context, clock):
        if added.agency not in context.adapters:
            raise ConfigError(f"no adapter for {added.agency}; known are {', '.join(context.adapters)}")
        snapshot = context.snapshot(clock())
        party = snapshot.parties.get(added.party_id)
        if party is None or party.kind is not PartyKind.AGENCY:
            raise ConfigError(f"no agency {added.party_id}; add it first with `xianjie party add … --kind agency`")
        before = snapshot.offices.get(added.office_id)
        if before is not None:
            added = replace(added, paused=before.paused)
        now = clock()
        context.store.write(lambda connection: directory.put_office(connection, added, now=now))
    say(f"已登记 registered {added.office_id}")


@office.command("list")
@json_option
@with_installation
def office_list(installation: Installation, as_json: bool) -> None:
    """列出 Every office."""
    with installation.open() as (context, clock):
        rows = [
            {
                "office_id": one.office_id,
                "agency": one.agency,
                "region": one.region,
                "channel": one.channel.value,
                "paused": one.paused,
                "party_id": one.party_id,
                "url": one.url or "",
            }
            for one in context.snapshot(clock()).offices.values()
        ]
    _show(rows, as_json)


@office.command("pause")
@click.argument("office_id")
@with_installation
def office_pause(installation: Installation, office_id: str) -> None:
    """暂停 Its messages wait in the queue."""
    _set_paused(installation, office_id, paused=True)


@office.command("resume")
@click.argument("office_id")
@with_installation
def office_resume(installation: Installation, office_id: str) -> None:
    """恢复 Its queue goes on at once, its breaker closed."""
    _set_paused(installation, office_id, paused=False)


def _set_paused(installation: Installation, office_id: str, *, paused: bool) -> None:
    with installation.open() as (context, clock):
        now = clock()
        context.store.write(lambda connection: directory.set_paused(connection, office_id, paused=paused, now=now))
    say(f"{office_id}: {'已暂停 paused' if paused else '已恢复 resumed'}")


@click.group()
def agreement() -> None:
    """会签文件 Agreement profiles: parties, programmes, limits, masks, what is authorised, validity."""


@agreement.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_installation
def agreement_load(installation: Installation, file: Path) -> None:
    """载入 Loads a profile's TOML file; a change needs a higher version, nothing loaded is ever altered."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file.name} is not UTF-8 text") from error
    with installation.open() as (context, clock):
        loaded = context.store.write(
            lambda connection: directory.load_agreement(
                connection, text, programmes=context.programmes, now=clock(), production=not installation.config.demo
            )
        )
    say(f"已载入 loaded {loaded.document} version {loaded.version}")


@agreement.command("list")
@json_option
@with_installation
def agreement_list(installation: Installation, as_json: bool) -> None:
    """列出 Every version ever loaded."""
    with installation.open() as (context, clock):
        snapshot = context.snapshot(clock())
        rows = [
            {
                "document": one.document,
                "version": one.version,
                "in_use": row in snapshot.latest.values(),
                "valid_from": one.valid_from.isoformat(),
                "valid_to": one.valid_to.isoformat() if one.valid_to else "",
                "matching": one.matching_authorised,
                "sample": one.sample,
                "title": one.title_zh,
            }
            for row, one in snapshot.agreements.items()
        ]
    _show(rows, as_json)


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
    else:
        table(list(rows[0]) if rows else [], [list(row.values()) for row in rows])


COMMANDS = (party, office, agreement)
