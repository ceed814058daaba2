"""体检 `xianjie doctor`: looks an installation over and says of each thing whether it is in order, and what to do."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from gateway.app import Clock, build_context, load_adapters
from gateway.cli.console import FINDINGS, Installation, json_option, print_json, with_installation
from gateway.errors import XianjieError
from gateway.flows.context import Context
from gateway.flows.holidays import missing_years
from gateway.store import history, migrate, vault

EXTRAS = {"openpyxl": "export", "xlsxwriter": "export", "psycopg": "postgres", "gmssl_pyx": "sm"}
Checked = tuple[str, bool, str]
"""(what, in order, note)."""


@click.command()
@json_option
@with_installation
def doctor(installation: Installation, as_json: bool) -> None:
    """体检 Checks packages, configuration, keys, database, adapters, agreements, offices, calendar."""
    found = list(_checks(installation))
    if as_json:
        print_json([{"what": what, "ok": ok, "note": note} for what, ok, note in found])
    else:
        for what, ok, note in found:
            click.echo(f"{'✓' if ok else '✗'} {what}: {note}")
    if not all(ok for _, ok, _ in found):
        sys.exit(FINDINGS)


def _checks(installation: Installation) -> Iterator[Checked]:
    yield _packages()
    for module, extra in EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        note = "installed" if there else f"not installed (optional: pip install 'xianjie[{extra}]')"
        yield f"可选组件 optional {module}", True, note
    try:
        config = installation.config
        yield "配置 configuration", True, installation.path.name
        yield "适配器 adapters", True, ", ".join(load_adapters(config.adapters))
        context = build_context(config)
    except XianjieError as error:
        yield "配置 configuration", False, error.note or error.title[1]
        return
    try:
        yield from _installed(context, Clock(config)())
    except XianjieError as error:
        yield "数据库 database", False, error.note or error.title[1]
    finally:
        context.store.close()


def _packages() -> Checked:
    """The flat package names must be ours: all three beside each other (another distribution could shadow one)."""
    folders = set()
    for name in ("gateway", "schemas", "adapters"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            return "程序包 packages", False, f"{name} is not installed"
        folders.add(Path(spec.origin).parent.parent)
    if len(folders) > 1:
        return "程序包 packages", False, "gateway, schemas, adapters lie apart: another distribution shadows one"
    try:
        installed = version("xianjie")
    except PackageNotFoundError:
        installed = "(run from its source)"
    return "程序包 packages", True, f"xianjie {installed}, Python {sys.version.split()[0]}"


def _installed(context: Context, now: datetime) -> Iterator[Checked]:
    current = migrate.is_current(context.store)
    kind = "SQLite" if context.store.is_sqlite else "PostgreSQL"
    yield "数据库 database", current, f"{kind}, {'up to date' if current else 'run `xianjie migrate`'}"
    if current:
        for check in _CHECKS:
            yield check(context, now)


def _own_key(context: Context, now: datetime) -> Checked:
    registered = context.snapshot(now).keyring.find(context.key.kid)
    trouble = "not registered" if registered is None else registered.refusal_at(now)
    return "网关密钥 own key", trouble is None, trouble or context.key.kid


def _data_key(context: Context, _: datetime) -> Checked:
    try:
        with context.store.reading() as connection:
            vault.require_key(connection)
    except XianjieError as error:
        return "数据密钥 data key", False, error.note
    return "数据密钥 data key", True, "opens this database; keep a copy of it apart from the database's"


def _encryption(context: Context, now: datetime) -> Checked:
    found = [key for key in context.decryption if context.snapshot(now).keyring.find(key.kid) is not None]
    note = found[0].kid if found else "none registered: partners cannot encrypt to us"
    return "加密公钥 key for encryption", bool(found), note


def _agreements(context: Context, now: datetime) -> Checked:
    snapshot = context.snapshot(now)
    latest = [snapshot.agreements[row] for row in snapshot.latest.values()]
    valid = [one.document for one in latest if one.is_valid_on(now.date())]
    return "会签文件 agreements", bool(valid), ", ".join(valid) or "none valid: run `xianjie agreement load FILE`"


def _offices(context: Context, now: datetime) -> Checked:
    offices = context.snapshot(now).offices.values()
    silent = sorted(set(context.adapters) - {office.agency for office in offices})
    return "承办单位 offices", not silent, f"{len(offices)}" + (f"; none for {', '.join(silent)}" if silent else "")


def _party_keys(context: Context, now: datetime) -> Checked:
    snapshot = context.snapshot(now)
    without = [
        party for party in snapshot.parties if not any(key.usable_at(now) for key in snapshot.keyring.keys_of(party))
    ]
    return "主体密钥 parties' keys", not without, f"none for {', '.join(without[:5])}" if without else "all have one"


def _calendar(context: Context, now: datetime) -> Checked:
    missing = ", ".join(str(year) for year in missing_years(context.calendar, now))
    note = f"; no holiday notice for {missing}: run `xianjie calendar load FILE`" if missing else " published"
    return "工作日历 calendar", now.year in context.calendar.published_years, f"{now.year}{note}"


def _past(context: Context, _: datetime) -> Checked:
    with context.store.reading() as connection:
        gone, since = history.not_kept(connection), history.first(connection)
    kept = f"kept since {since.isoformat()}" if since else "kept from the first checkpoint on"
    return "当时所知 the past", not gone, f"not kept of {', '.join(gone)}: run `xianjie migrate`" if gone else kept


_CHECKS: tuple[Callable[[Context, datetime], Checked], ...] = (
    _own_key,
    _encryption,
    _data_key,
    _agreements,
    _offices,
    _party_keys,
    _calendar,
    _past,
)
COMMANDS = (doctor,)
