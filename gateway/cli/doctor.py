"""体检 `xianjie doctor`: looks an installation over and says of each thing whether it is in order, and what to do."""

import importlib.util
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

import click

from gateway.app import Clock, build_context, load_adapters
from gateway.cli.console import FINDINGS, Installation, json_option, print_json, with_installation
from gateway.config import Config
from gateway.errors import XianjieError
from gateway.flows import health
from gateway.flows.context import Context
from gateway.flows.health import Health
from gateway.store import migrate
from gateway.transport.provider import ProviderSettings
from gateway.web.pages.provider import BACK

EXTRAS = {
    "openpyxl": "export",
    "xlsxwriter": "export",
    "reportlab": "export",
    "psycopg": "postgres",
    "gmssl_pyx": "sm",
    "authlib": "oidc",
}
Checked = tuple[str, bool, str]
"""(what, in order, note)."""


@click.command()
@json_option
@with_installation
def doctor(installation: Installation, as_json: bool) -> None:
    """体检 Checks packages, configuration, sign-in, keys, database, adapters, agreements, offices, calendar."""
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
        there = _is_installed(module)
        note = "installed" if there else f"not installed (optional: pip install 'xianjie[{extra}]')"
        yield f"可选组件 optional {module}", True, note
    try:
        config = installation.config
        yield "配置 configuration", True, installation.path.name
        if config.provider is not None:
            yield _provider(config, config.provider)
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


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _provider(config: Config, provider: ProviderSettings) -> Checked:
    """What can be known without asking it; the configuration itself refuses what can never work."""
    back = (config.public_url or "").rstrip("/")
    own, theirs = urlsplit(back), urlsplit(provider.issuer)
    wrong = []
    if not _is_installed("authlib"):
        wrong.append("not installed, and `serve` does not start without it: pip install 'xianjie[oidc]'")
    if theirs.scheme != "https" and not config.demo:
        wrong.append("[oidc] `issuer` is plain http: give the provider's https address")
    if own.scheme != "https" and not config.demo:
        wrong.append("[gateway] `public_url` is not https: the provider leads people back to it with their codes")
    if not own.hostname or own.path or own.query or own.fragment:
        wrong.append("[gateway] `public_url` must be scheme and host alone: pages are served at its root")
    secret = "" if provider.secret else ", without a secret (a public client)"
    right = f"{provider.issuer} as {provider.client_id}{secret}; register {back}{BACK} there"
    return "统一身份认证 identity provider", not wrong, "; ".join(wrong) or right


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
        for one in health.installation(context, now):
            yield " ".join(one.name), one.health is not Health.BAD, one.line(1)


COMMANDS = (doctor,)
