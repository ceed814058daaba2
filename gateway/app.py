"""组装 The composition root: configuration → context, web application, worker. The only file that imports by name.

Rules: adapters are found through the configuration's dotted paths, so nothing in `gateway` knows an agency; keys are
read once and must be readable by their owner alone; an example key is refused outside a demo; the clock is read here.
"""

import os
import stat
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from gateway import failpoints
from gateway.config import Config
from gateway.domain.calendar import load_calendar
from gateway.domain.coexistence import load_coexistence
from gateway.domain.masking import load_mask_floor
from gateway.domain.programmes import load_programmes
from gateway.domain.regions import load_regions
from gateway.envelope.encryption import EncryptionKey
from gateway.envelope.keyring import SigningKey
from gateway.errors import ConfigError, ExampleKeyRefused
from gateway.evidence.checkpoint import LogKey
from gateway.flows.context import Context, Installed
from gateway.matching.keyed import LAYER
from gateway.ports import Adapter
from gateway.store.directory import Directory
from gateway.store.engine import Store
from gateway.store.vault import Vault

GATEWAY_KEY = "gateway.pem"
LOG_KEY = "log.pem"
ENCRYPTION_KEY = "encryption.pem"
DATA_KEY = "data.key"
HELD = "held"
MATCHING_SECRET = "matching.secret"  # noqa: S105 - a file's name
SECRET_BYTES = 32
_ROOT = 0


class Clock:
    """The time of this installation: the system's, shifted in a demo."""

    def __init__(self, config: Config) -> None:
        self._offset = config.clock_offset

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._offset


def build_context(config: Config) -> Context:
    """Everything the flows need. Raises ConfigError, ExampleKeyRefused, MissingExtra."""
    if config.failpoint is not None:
        failpoints.arm(config.failpoint)
    store = open_store(config)
    programmes = load_programmes()
    return Context(
        party_id=config.party_id,
        key=load_key(config.keys / GATEWAY_KEY, config.party_id, demo=config.demo),
        log_key=LogKey.from_pem(_private_bytes(config.keys / LOG_KEY), config.party_id),
        witnesses=config.witnesses,
        decryption=load_decryption(config),
        held=load_held(config),
        matching_secret=_secret(config.keys / MATCHING_SECRET),
        store=store,
        directory=Directory(store, programmes),
        adapters=load_adapters(config.adapters),
        regions=load_regions(),
        programmes=programmes,
        coexistence=load_coexistence(),
        shipped_calendar=load_calendar(),
        mask_floor=load_mask_floor(),
        statement_bytes=config.statement_megabytes * 2**20,
        roster_lines=config.roster_lines,
        installed=Installed(
            allow_addresses=config.allow_addresses,
            ca_bundle=config.ca_bundle,
            state=config.state,
            refused_kids=frozenset() if config.demo else example_kids(),
            machine_clock=lambda: datetime.now(UTC),
        ),
    )


def open_store(config: Config) -> Store:
    """The database with the key its people's data is sealed under: without that key nothing starts."""
    text = config.data_key or _private_bytes(config.keys / DATA_KEY).decode("utf-8", "replace")
    return Store(config.database, vault=Vault.from_text(text))


def load_decryption(config: Config) -> tuple[EncryptionKey, ...]:
    """Our own keys for what is encrypted to us: `encryption.pem`, and beside it whatever partners may still use."""
    paths = sorted(config.keys.glob(f"{Path(ENCRYPTION_KEY).stem}*.pem"), key=lambda path: path.name != ENCRYPTION_KEY)
    found = tuple(EncryptionKey.load_pem(_private_bytes(path), config.party_id) for path in paths)
    for key in found:
        refuse_example_key(key.kid, demo=config.demo)
    return found


def held_path(config: Config, party_id: str) -> Path:
    """Where a party's key lies that the gateway signs with for its clerks."""
    return config.keys / HELD / f"{party_id.replace('/', '~')}.pem"


def load_held(config: Config) -> dict[str, SigningKey]:
    """The keys we hold for parties whose clerks have none."""
    names = {path: path.stem.replace("~", "/") for path in sorted((config.keys / HELD).glob("*.pem"))}
    return {party_id: load_key(path, party_id, demo=config.demo) for path, party_id in names.items()}


def load_adapters(paths: Mapping[str, str]) -> dict[str, Adapter]:
    """Agency → adapter. Raises ConfigError for a path that leads nowhere or to another agency's adapter."""
    found: dict[str, Adapter] = {}
    for agency, path in paths.items():
        module_name, _, name = path.partition(":")
        try:
            adapter = getattr(import_module(module_name), name)()
        except (ImportError, AttributeError, TypeError) as error:
            raise ConfigError(f"adapter {agency}: {path} cannot be loaded ({type(error).__name__})") from error
        if not isinstance(adapter, Adapter) or adapter.agency != agency:
            raise ConfigError(f"adapter {agency}: {path} is no adapter of {agency}")
        found[agency] = adapter
    return found


def load_key(path: Path, party_id: str, *, demo: bool) -> SigningKey:
    """A private key from a file that only its owner can read."""
    key = SigningKey.load_pem(_private_bytes(path), party_id)
    refuse_example_key(key.kid, demo=demo)
    return key


def refuse_example_key(kid: str, *, demo: bool) -> None:
    """Raises ExampleKeyRefused for a key that was shipped with the project, outside a demo."""
    if not demo and kid in example_kids():
        raise ExampleKeyRefused(ids={"kid": kid})


def example_kids() -> frozenset[str]:
    """The fingerprints of the keys in `keys_example/` and of the private ones that test vectors publish."""
    lines = files("gateway").joinpath("example_keys.csv").read_text(encoding="utf-8").splitlines()
    return frozenset(line.split(",")[0] for line in lines[1:] if line)


def _secret(path: Path) -> bytes:
    secret = _private_bytes(path).strip()
    if any(len(layer) < SECRET_BYTES for layer in secret.split(LAYER)):
        raise ConfigError(f"{path.name}: the matching secret needs at least {SECRET_BYTES} bytes")
    return secret


def may_be_read_by_others(mode: int, *, owner: int, us: int) -> bool:
    """A key is its owner's alone. Root's, handed to a service for reading, may show that in its group's bits: systemd's
    credentials do."""
    handed_over = owner == _ROOT != us
    return bool(mode & (stat.S_IRWXO | (stat.S_IWGRP | stat.S_IXGRP if handed_over else stat.S_IRWXG)))


def _private_bytes(path: Path) -> bytes:
    try:
        found = path.stat()
        if sys.platform != "win32" and may_be_read_by_others(found.st_mode, owner=found.st_uid, us=os.geteuid()):
            raise ConfigError(f"{path.name} can be read by others; run: chmod 600 {path.name}")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path.name} cannot be read ({type(error).__name__}); make it with `xianjie init`"
        ) from error
