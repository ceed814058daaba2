"""配置 Reads `xianjie.toml` and the environment; nothing else in Xianjie reads either.

Rules: an unknown key is refused with the known ones named; paths are relative to the file; `XIANJIE_CONFIG` names the
file, `XIANJIE_DB` wins over its database, `XIANJIE_KEYS` over its folder of keys, `XIANJIE_DATA_KEY` over the data
key's file, `XIANJIE_OIDC_SECRET` over the identity provider's. A demo configuration may shift the clock and use example
keys; any other may not, whatever the environment says.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from gateway import failpoints
from gateway.errors import ConfigError
from gateway.failpoints import OneFailure
from gateway.transport.provider import ProviderSettings

FILE = "xianjie.toml"
LOOPBACK = "127.0.0.1"
LEAST_THREADS = 8
DEFAULT_ADAPTERS = {
    "civil_affairs": "adapters.civil_affairs.adapter:CivilAffairs",
    "disabled_persons": "adapters.disabled_persons.adapter:DisabledPersons",
    "womens_federation": "adapters.womens_federation.adapter:WomensFederation",
}
_GATEWAY = {
    "party_id": str,
    "database": str,
    "keys": str,
    "host": str,
    "port": int,
    "public_url": str,
    "threads": int,
    "allow_addresses": list,
    "ca_bundle": str,
    "state": str,
    "witnesses": list,
    "cutoff_minutes": int,
    "statement_megabytes": int,
    "roster_lines": int,
    "demo": bool,
}
_OIDC = ("issuer", "client_id", "name", "secret_file")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that is set from outside. public_url: as partners reach us; tokens are bound to it."""

    party_id: str
    database: str
    keys: Path
    state: Path
    """What this node remembers outside the database: the last checkpoint."""
    host: str = LOOPBACK
    port: int = 8420
    public_url: str | None = None
    threads: int = 16
    allow_addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    ca_bundle: str | None = None
    witnesses: tuple[str, ...] = ()
    """Verifier keys (C2SP signed notes) of those who cosign checkpoints."""
    cutoff_minutes: int = 1440
    """How often the log is compared with the rows."""
    statement_megabytes: int = 2048
    """The largest file of a statement that is taken."""
    roster_lines: int = 2_000_000
    """From so many lines on a statement is compared by the analytical engine, where it is installed."""
    demo: bool = False
    data_key: str | None = field(default=None, repr=False)
    """XIANJIE_DATA_KEY; wins over the file in `keys`."""
    clock_offset: timedelta = timedelta(0)
    failpoint: OneFailure | None = None
    """XIANJIE_FAILPOINT, in a demonstration alone: where this process fails."""
    provider: ProviderSettings | None = None
    """[oidc]: who else lets people into the pages."""
    adapters: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_ADAPTERS))


def find_file(named: str | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """The configuration file: the one named, else XIANJIE_CONFIG, else `xianjie.toml` here. Raises ConfigError."""
    environment = os.environ if environment is None else environment
    path = Path(named or environment.get("XIANJIE_CONFIG") or FILE)
    if not path.is_file():
        raise ConfigError(f"no configuration at {path.name}; make one with `xianjie init`, or name it with --config")
    return path


def load(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Raises ConfigError naming the key and what was expected."""
    environment = os.environ if environment is None else environment
    try:
        members = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: not TOML ({error})") from error
    unknown = sorted(set(members) - {"gateway", "adapters", "oidc"})
    if unknown:
        raise ConfigError(f"{path.name}: unknown section {unknown[0]}; known are gateway, adapters, oidc")
    gateway = _gateway(members.get("gateway", {}), path)
    adapters = members.get("adapters", DEFAULT_ADAPTERS)
    if not adapters or not all(isinstance(value, str) and ":" in value for value in adapters.values()):
        raise ConfigError(f'{path.name}: each of [adapters] is `agency = "module:Class"`')
    demo = gateway.get("demo", False)
    _check_listening(gateway, path)
    return Config(
        party_id=gateway["party_id"],
        database=environment.get("XIANJIE_DB") or _database(gateway["database"], path),
        keys=Path(environment.get("XIANJIE_KEYS") or path.parent / gateway.get("keys", "keys")),
        state=path.parent / gateway.get("state", "state"),
        host=gateway.get("host", LOOPBACK),
        port=gateway.get("port", 8420),
        public_url=gateway.get("public_url"),
        threads=gateway.get("threads", 16),
        allow_addresses=_networks(gateway.get("allow_addresses", []), path),
        ca_bundle=gateway.get("ca_bundle"),
        witnesses=_witnesses(gateway.get("witnesses", []), path),
        cutoff_minutes=gateway.get("cutoff_minutes", 1440),
        statement_megabytes=gateway.get("statement_megabytes", 2048),
        roster_lines=gateway.get("roster_lines", 2_000_000),
        demo=demo,
        data_key=environment.get("XIANJIE_DATA_KEY") or None,
        clock_offset=_offset(environment) if demo else timedelta(0),
        failpoint=_failpoint(environment, demo=demo),
        provider=_provider(members.get("oidc"), gateway, path, environment),
        adapters=dict(adapters),
    )


def _provider(
    members: Any, gateway: Mapping[str, Any], path: Path, environment: Mapping[str, str]
) -> ProviderSettings | None:
    """The identity provider: its secret stands in the environment or in a file, never in the configuration."""
    if members is None:
        return None
    if not isinstance(members, dict) or not all(isinstance(value, str) for value in members.values()):
        raise ConfigError(f"{path.name}: [oidc] holds texts: {', '.join(_OIDC)}")
    unknown = sorted(set(members) - set(_OIDC))
    if unknown:
        raise ConfigError(f"{path.name}: [oidc] has no `{unknown[0]}`; known are {', '.join(_OIDC)}")
    if not gateway.get("public_url"):
        raise ConfigError(f"{path.name}: [oidc] needs [gateway] `public_url`: the provider leads people back to it")
    secret = environment.get("XIANJIE_OIDC_SECRET") or _secret_of(members.get("secret_file"), path)
    return ProviderSettings(
        issuer=members.get("issuer", ""),
        client_id=members.get("client_id", ""),
        name=members.get("name", ""),
        secret=secret,
    )


def _secret_of(name: str | None, path: Path) -> str | None:
    if name is None:
        return None
    try:
        return (path.parent / name).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: [oidc] `secret_file` {name} cannot be read") from error


def _gateway(members: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    for key, value in members.items():
        if key not in _GATEWAY:
            raise ConfigError(f"{path.name}: [gateway] has no `{key}`; known are {', '.join(_GATEWAY)}")
        if type(value) is not _GATEWAY[key]:
            raise ConfigError(f"{path.name}: [gateway] `{key}` must be a {_GATEWAY[key].__name__}")
    for key in ("party_id", "database"):
        if not members.get(key):
            raise ConfigError(f"{path.name}: [gateway] needs `{key}`")
    return members


def _check_listening(gateway: Mapping[str, Any], path: Path) -> None:
    if gateway.get("cutoff_minutes", 1) < 1:
        raise ConfigError(f"{path.name}: [gateway] `cutoff_minutes` is at least 1")
    if gateway.get("statement_megabytes", 1) < 1 or gateway.get("roster_lines", 1) < 1:
        raise ConfigError(f"{path.name}: [gateway] `statement_megabytes` and `roster_lines` are at least 1")
    if gateway.get("threads", LEAST_THREADS) < LEAST_THREADS:
        raise ConfigError(f"{path.name}: [gateway] `threads` is at least {LEAST_THREADS}: some may wait in long polls")
    require_public_url(gateway.get("host", LOOPBACK), gateway.get("public_url"))


def require_public_url(host: str, public_url: str | None) -> None:
    """Beyond this machine the address partners use must be set: read tokens are bound to it, not to a Host header."""
    if host not in (LOOPBACK, "localhost", "::1") and not public_url:
        raise ConfigError("listening beyond this machine needs [gateway] `public_url`: read tokens are bound to it")


def _database(url: str, path: Path) -> str:
    """A relative SQLite file lies beside the configuration, wherever the command is run from."""
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return prefix + str((path.parent / url.removeprefix(prefix)).resolve())
    return url


def _networks(texts: list[Any], path: Path) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(str(text)) for text in texts)
    except ValueError as error:
        raise ConfigError(f"{path.name}: `allow_addresses` lists networks such as 10.1.0.0/16") from error


def _witnesses(texts: list[Any], path: Path) -> tuple[str, ...]:
    if not all(isinstance(text, str) and text.count("+") >= 2 for text in texts):
        raise ConfigError(f"{path.name}: `witnesses` lists verifier keys such as name+1a2b3c4d+BASE64")
    return tuple(texts)


def _failpoint(environment: Mapping[str, str], *, demo: bool) -> OneFailure | None:
    """Nobody's case may hang on a gateway that was told to fail."""
    text = environment.get(failpoints.VARIABLE)
    if text is None:
        return None
    if not demo:
        raise ConfigError(f"{failpoints.VARIABLE} is set: only a demonstration may be told to fail")
    try:
        return failpoints.read_failure(text)
    except ValueError as error:
        raise ConfigError(f"{failpoints.VARIABLE}: {error}") from error


def _offset(environment: Mapping[str, str]) -> timedelta:
    try:
        return timedelta(seconds=float(environment.get("XIANJIE_CLOCK_OFFSET_SECONDS", "0")))
    except ValueError as error:
        raise ConfigError("XIANJIE_CLOCK_OFFSET_SECONDS is a number of seconds") from error
