"""模拟部门配置 The configuration of one simulated agency, read from TOML; paths are relative to the file.

`agency` names the format; `[gateway]` says who the gateway is, where it is and with which keys it signs; each
`[[desks]]` is one party of the agency with its own key, reached by push or fetching from its mailbox, with a second key
(`decryption_key`) where it wants to be written to encrypted; `[behaviour]` is `gateway.sandbox.behaviour.Behaviour`.
Unknown names are refused.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.domain.agreement import Channel, PartyKind
from gateway.envelope.encryption import EncryptionKey
from gateway.envelope.keyring import Keyring, PublicKey, SigningKey
from gateway.errors import ConfigError
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.formats import FORMATS

LOOPBACK = "127.0.0.1"
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
"""The simulator believes the keys it was given, whenever they began."""
_KNOWN = {
    "agency",
    "listen",
    "notebook",
    "poll_wait",
    "clock_offset_seconds",
    "commit_every",
    "gateway",
    "desks",
    "behaviour",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """One party of the simulated agency."""

    key: SigningKey
    channel: Channel = Channel.PUSH
    decryption: EncryptionKey | None = None

    @property
    def party_id(self) -> str:
        return self.key.party_id


@dataclass(frozen=True, kw_only=True)
class AgencyConfig:
    """One simulated agency. gateway_url: scheme, host and port; notebook: a file, or None to remember in memory."""

    agency: str
    gateway: str
    gateway_url: str
    keyring: Keyring
    desks: Mapping[str, Desk]
    behaviour: Behaviour = field(default_factory=Behaviour)
    host: str = LOOPBACK
    port: int = 0
    notebook: Path | None = None
    poll_wait: int = 10
    clock_offset: timedelta = timedelta(0)
    """How far this process's clock is from the true time, for demonstrations that play in another year."""
    commit_every: float = 0.0
    """Seconds between two commitments to everything exchanged; 0 for none."""

    def __post_init__(self) -> None:
        if self.agency not in FORMATS:
            raise ConfigError(f"agency: one of {', '.join(sorted(FORMATS))}")
        if not self.desks:
            raise ConfigError("desks: at least one")


def read_config(path: Path) -> AgencyConfig:
    """Raises ConfigError for a file that cannot be read or says something else than this module's docstring."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError("the agency's configuration cannot be read") from error
    known = _section(raw, "", _KNOWN)
    gateway = _section(raw.get("gateway"), "gateway", {"party", "url", "keys", "jwks"})
    try:
        host, _, port = str(known.get("listen", f"{LOOPBACK}:0")).rpartition(":")
        return AgencyConfig(
            agency=known["agency"],
            gateway=gateway["party"],
            gateway_url=str(gateway["url"]).rstrip("/"),
            keyring=gateway_keyring(_jwks(gateway, path.parent), gateway["party"]),
            desks={desk.party_id: desk for desk in (_desk(entry, path.parent) for entry in known.get("desks", ()))},
            behaviour=Behaviour(**_section(raw.get("behaviour", {}), "behaviour", set(Behaviour.__slots__))),
            host=host,
            port=int(port),
            notebook=path.parent / known["notebook"] if "notebook" in known else None,
            poll_wait=int(known.get("poll_wait", 10)),
            clock_offset=timedelta(seconds=float(known.get("clock_offset_seconds", 0))),
            commit_every=float(known.get("commit_every", 0)),
        )
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ConfigError(f"the agency's configuration: {type(error).__name__} {error}") from error


def gateway_keyring(jwks: list[Mapping[str, str]], party_id: str) -> Keyring:
    """The gateway's public keys from JWKs; other members than the key's own numbers are passed over."""
    return Keyring(
        (PublicKey.from_jwk(jwk, party_id, not_before=ALWAYS) for jwk in jwks), {party_id: PartyKind.GATEWAY.value}
    )


def _jwks(gateway: Mapping[str, Any], folder: Path) -> list[Mapping[str, str]]:
    """Keys written into the configuration, or a JWK set in a file beside it."""
    found = list(gateway.get("keys", ()))
    if "jwks" in gateway:
        found += json.loads((folder / gateway["jwks"]).read_text(encoding="utf-8"))["keys"]
    return found


def _desk(entry: Any, folder: Path) -> Desk:
    known = _section(entry, "desks", {"party", "key", "channel", "decryption_key"})
    key = SigningKey.load_pem((folder / known["key"]).read_bytes(), known["party"])
    decryption = None
    if "decryption_key" in known:
        decryption = EncryptionKey.load_pem((folder / known["decryption_key"]).read_bytes(), known["party"])
    return Desk(key=key, channel=Channel(known.get("channel", Channel.PUSH)), decryption=decryption)


def _section(value: Any, name: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{name}: a table is missing")
    if unknown := value.keys() - known:
        raise ConfigError(f"{name}: unknown {', '.join(sorted(unknown))}")
    return value
