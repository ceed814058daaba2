"""对接方 Options every partner's command has (who I am, where the gateway is) and the client they make."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.client import Client, Journal
from gateway.envelope.encryption import EncryptionKey
from gateway.envelope.keyring import PublicKey, SigningKey
from gateway.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)

_OPTIONS = (
    click.option("--url", envvar="XIANJIE_URL", help="网关地址 the gateway's address [XIANJIE_URL]"),
    click.option("--party", envvar="XIANJIE_PARTY", help="本方主体编号 own party id [XIANJIE_PARTY]"),
    click.option("--key", envvar="XIANJIE_KEY", type=click.Path(path_type=Path), help="本方私钥 own key [XIANJIE_KEY]"),
    click.option("--gateway", envvar="XIANJIE_GATEWAY", help="网关主体编号 the gateway's party id [XIANJIE_GATEWAY]"),
    click.option(
        "--gateway-keys",
        envvar="XIANJIE_GATEWAY_KEYS",
        type=click.Path(path_type=Path),
        help="网关公钥 JWKS file from the administrator [XIANJIE_GATEWAY_KEYS]",
    ),
    click.option(
        "--journal",
        envvar="XIANJIE_JOURNAL",
        type=click.Path(path_type=Path),
        default=Path("xianjie-journal.sqlite"),
        show_default=True,
        help="日志簿 remembers what was sent, so that nothing is sent twice [XIANJIE_JOURNAL]",
    ),
    click.option(
        "--decryption-key",
        envvar="XIANJIE_DECRYPTION_KEY",
        type=click.Path(path_type=Path),
        help="本方解密私钥 opens what is encrypted to this party, if it registered such a key [XIANJIE_DECRYPTION_KEY]",
    ),
)


def partner_options(command: F) -> F:
    """Adds the options of a partner."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def make_client(
    *,
    url: str | None,
    party: str | None,
    key: Path | None,
    gateway: str | None,
    gateway_keys: Path | None,
    journal: Path,
    decryption_key: Path | None = None,
) -> Client:
    """A client from a command's options. Raises ConfigError naming what is missing."""
    own = client_arguments(
        {"--url": url},
        party=party,
        key=key,
        gateway=gateway,
        gateway_keys=gateway_keys,
        journal=journal,
        decryption_key=decryption_key,
    )
    if not str(url).startswith(("https://", "http://")):
        raise ConfigError("--url begins with https:// (or http:// on this machine)")
    return Client(url=str(url), **own)


def client_arguments(
    needed: Mapping[str, str | None],
    *,
    party: str | None,
    key: Path | None,
    gateway: str | None,
    gateway_keys: Path | None,
    journal: Path,
    decryption_key: Path | None = None,
) -> dict[str, Any]:
    """What any client is made of but its address. needed: further options that must be given, by their names."""
    given = {**needed, "--party": party, "--key": key, "--gateway": gateway, "--gateway-keys": gateway_keys}
    missing = [name for name, value in given.items() if not value]
    if missing or key is None or gateway_keys is None:
        raise ConfigError(f"still needed: {', '.join(missing)} (or the environment variables of the same names)")
    try:
        own = SigningKey.load_pem(key.read_bytes(), str(party))
    except OSError as error:
        raise ConfigError(f"{key.name} cannot be read; make one with `xianjie keys generate`") from error
    return {
        "key": own,
        "gateway": str(gateway),
        "gateway_keys": read_jwks(gateway_keys, str(gateway)),
        "journal": Journal(journal),
        "clock": lambda: datetime.now(UTC),
        "decryption": _decryption(decryption_key, str(party)),
    }


def _decryption(path: Path | None, party: str) -> list[EncryptionKey]:
    try:
        return [] if path is None else [EncryptionKey.load_pem(path.read_bytes(), party)]
    except OSError as error:
        raise ConfigError(f"{path.name if path else ''} cannot be read") from error


def read_jwks(path: Path, party_id: str) -> list[PublicKey]:
    """The keys of a JWKS file as `xianjie keys publish` writes it. Raises ConfigError."""
    try:
        members = json.loads(path.read_text(encoding="utf-8"))["keys"]
        return [PublicKey.from_jwk(member, party_id, not_before=_BEGINNING) for member in members]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path.name} is no JWKS file; ask the gateway's administrator for one") from error
