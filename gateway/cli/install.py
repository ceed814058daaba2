"""安装 `xianjie init` and `migrate`: make an installation, bring its database up to date."""

import json
import os
import secrets
from base64 import b64encode
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import click
from sqlalchemy.exc import DBAPIError

from gateway.app import (
    DATA_KEY,
    ENCRYPTION_KEY,
    GATEWAY_KEY,
    LOG_KEY,
    MATCHING_SECRET,
    SECRET_BYTES,
    Clock,
    build_context,
)
from gateway.cli.console import Installation, refuse_existing, say, with_installation
from gateway.config import DEFAULT_ADAPTERS, FILE, Config, load
from gateway.domain.agreement import Party, PartyKind
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.encryption import EncryptionKey
from gateway.envelope.keyring import PublicKey, SigningKey
from gateway.errors import ConfigError, StoreUnavailable, XianjieError
from gateway.evidence.checkpoint import LogKey
from gateway.flows.context import Context
from gateway.store import directory, migrate
from gateway.store.engine import Store
from gateway.store.vault import KEY_BYTES

KEY_FILES = (GATEWAY_KEY, LOG_KEY, ENCRYPTION_KEY, DATA_KEY, MATCHING_SECRET)
_TOML = """# 衔接网关配置 Configuration of this gateway. Relative paths start at this file.
[gateway]
party_id = {party}
database = {database}
keys = "keys"
host = "127.0.0.1"
port = 8420
# public_url = "https://xianjie.example"   # as partners reach this gateway; read tokens are bound to it
# allow_addresses = ["10.1.0.0/16"]        # private networks where offices' servers may be

[adapters]
{adapters}
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@click.option("--party", required=True, help="网关主体编号 the gateway's party id, e.g. cn/gateway/520000")
@click.option("--region", default="000000", help="行政区划代码 GB/T 2260")
@click.option("--database", default="sqlite:///xianjie.db", show_default=True)
def init(folder: Path, party: str, region: str, database: str) -> None:
    """新建 Makes a configuration, keys and a database in FOLDER; nothing that exists is overwritten."""
    config_path = folder / FILE
    refuse_existing(config_path)
    folder.mkdir(parents=True, exist_ok=True)
    adapters = "\n".join(f"{agency} = {_quoted(path)}" for agency, path in DEFAULT_ADAPTERS.items())
    text = _TOML.format(party=_quoted(party), database=_quoted(database), adapters=adapters)
    made = [folder / "keys" / name for name in KEY_FILES]
    for path in made:
        refuse_existing(path)
    try:
        make_keys(folder / "keys", party)
        write_private(config_path, text.encode())
        register_gateway(load(config_path), region)
    except XianjieError:
        for path in (*made, config_path):  # so that it can be tried again
            path.unlink(missing_ok=True)
        raise
    say(f"已建立 made: {config_path.name}, {', '.join(f'keys/{path.name}' for path in made)}")
    say("下一步 next: xianjie agreement load FILE · xianjie party add … · xianjie keys register … · xianjie serve")


def _quoted(text: str) -> str:
    """As TOML writes it; what JSON escapes TOML reads alike."""
    return json.dumps(text, ensure_ascii=False)


def make_keys(folder: Path, party: str) -> SigningKey:
    """Everything secret an installation has, readable by its owner alone; its signing key is returned."""
    key = SigningKey.generate(Algorithm.ED25519, party)
    write_private(folder / GATEWAY_KEY, key.to_pem())
    write_private(folder / LOG_KEY, LogKey.generate(party).to_pem())
    write_private(folder / ENCRYPTION_KEY, EncryptionKey.generate(party).to_pem())
    write_private(folder / DATA_KEY, b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
    write_private(folder / MATCHING_SECRET, secrets.token_hex(SECRET_BYTES).encode())
    return key


def make_missing_keys(folder: Path, party: str) -> list[str]:
    """The keys that a version before this one did not need; those that are there are left alone."""
    newer = {
        LOG_KEY: lambda: LogKey.generate(party).to_pem(),
        ENCRYPTION_KEY: lambda: EncryptionKey.generate(party).to_pem(),
        DATA_KEY: lambda: b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n",
    }
    missing = [name for name in newer if not (folder / name).exists()]
    for name in missing:
        write_private(folder / name, newer[name]())
    return missing


def write_private(path: Path, content: bytes) -> None:
    """A new file of mode 0600; ConfigError where one is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except FileExistsError as error:
        raise ConfigError(f"{path.name} is there already; nothing was overwritten") from error


def register_gateway(config: Config, region: str) -> None:
    """Migrates the database and registers the gateway itself with its keys."""
    context = build_context(config)
    now = Clock(config)()
    try:
        bring_up_to_date(context.store)
        party = Party(party_id=config.party_id, kind=PartyKind.GATEWAY, name_zh="衔接网关", region=region)
        context.store.write(lambda connection: directory.add_party(connection, party, now=now))
        for public in own_public_keys(context, not_before=now - timedelta(minutes=5)):
            context.store.write(partial(directory.add_key, key=public, now=now))
    finally:
        context.store.close()


def own_public_keys(context: Context, *, not_before: datetime) -> list[PublicKey]:
    """What the gateway signs with, and what it is written to with."""
    return [
        context.key.public_key(not_before=not_before),
        *(key.public_key(not_before=not_before) for key in context.decryption),
    ]


def bring_up_to_date(store: Store) -> str:
    """The revision reached. Raises StoreUnavailable where the database cannot be reached or is none."""
    try:
        return migrate.migrate(store)
    except DBAPIError as error:
        raise StoreUnavailable(type(error.orig).__name__) from error


@click.command("migrate")
@with_installation
def migrate_command(installation: Installation) -> None:
    """迁移 Brings the database to this version's tables, and makes the keys it newly needs; running it twice is
    harmless."""
    config = installation.config
    for name in make_missing_keys(config.keys, config.party_id):
        say(f"已建立 made: keys/{name} (此版本新需 new in this version; 请备份 back it up)")
    store = Store(installation.config.database)
    try:
        say(f"数据库版本 database revision {bring_up_to_date(store)}")
    finally:
        store.close()


COMMANDS = (init, migrate_command)
