"""流程上下文 What every flow needs beside its input: who we are, our key, the store, the directory, the rules.

Built once by `gateway.app`; a flow is a function (input, context) → value. Nothing here reads a clock: `now` is an
argument of each flow (Law 10).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from gateway.domain.agreement import AgreementProfile
from gateway.domain.calendar import WorkCalendar
from gateway.domain.coexistence import CoexistenceRule
from gateway.domain.holiday_notice import with_notices
from gateway.domain.masking import MaskFloor
from gateway.domain.programmes import Programme
from gateway.domain.reconciliation.values import Rulebook
from gateway.domain.regions import Regions
from gateway.envelope.compact import decode_header
from gateway.envelope.encryption import EncryptionKey
from gateway.envelope.keyring import Keyring, SigningKey
from gateway.errors import XianjieError
from gateway.evidence.checkpoint import LogKey
from gateway.evidence.receipt import LogPlace
from gateway.flows.recent import RecentReferrals
from gateway.ports import Adapter
from gateway.store.directory import Directory, Snapshot
from gateway.store.engine import Store
from gateway.store.log import FIRST_EPOCH, Tail


@dataclass(frozen=True, kw_only=True)
class Installed:
    """本机安装 What this node's configuration says and pages must know: where partners may be reached, its folders."""

    allow_addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    ca_bundle: str | None = None
    state: Path | None = None
    """What this node remembers outside the database."""
    refused_kids: frozenset[str] = frozenset()
    """Fingerprints nobody may register: keys that were published as examples. Empty in a demonstration."""
    machine_clock: Callable[[], datetime] | None = None
    """What this machine says the time is, whatever the installation goes by."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """Everything a flow may use."""

    party_id: str
    key: SigningKey
    matching_secret: bytes
    """Makes every key of persons; several lines where it was rotated (`matching.keyed`)."""
    store: Store
    directory: Directory
    adapters: Mapping[str, Adapter]
    regions: Regions
    programmes: Mapping[str, Programme]
    coexistence: tuple[CoexistenceRule, ...]
    shipped_calendar: WorkCalendar
    mask_floor: MaskFloor
    log_key: LogKey | None = None
    """Signs checkpoints; only the sequencer needs it."""
    witnesses: tuple[str, ...] = ()
    """Verifier keys of those whose cosignatures are taken."""
    decryption: tuple[EncryptionKey, ...] = ()
    """Our own keys for what is encrypted to us: the present one, and those that partners may still use."""
    held: Mapping[str, SigningKey] = field(default_factory=dict)
    """Keys of parties whose clerks work in the portals and have none of their own (`flows.on_behalf`)."""
    recent: RecentReferrals = field(default_factory=RecentReferrals)
    installed: Installed = field(default_factory=Installed)
    statement_bytes: int = 2 * 2**30
    """The largest file of a statement that is taken."""
    roster_lines: int = 2_000_000
    """From so many lines on a statement is compared by the analytical engine, where it is installed."""

    @property
    def calendar(self) -> WorkCalendar:
        """The shipped notices and those an administrator loaded since, as fresh as the last snapshot."""
        return with_notices(self.shipped_calendar, self.directory.notices())

    def origin(self, epoch: int) -> str:
        """The log's name: a log that began anew after a loss has another."""
        return self.party_id if epoch == FIRST_EPOCH else f"{self.party_id}/{epoch}"

    def place(self, tail: Tail, index: int) -> LogPlace:
        """Where a message stands, and the committed tree before this transaction, as our receipts tell it."""
        return LogPlace(
            origin=self.origin(tail.epoch),
            index=index,
            tree_size=tail.size_before,
            root=tail.root_before.hex(),
        )

    def snapshot(self, now: datetime) -> Snapshot:
        """The directory as it stands."""
        return self.directory.at(now)

    def keyring_for(self, jws: bytes, now: datetime) -> Keyring:
        """The registered keys to prove these bytes with. They are read again where the bytes name a key that is
        registered and this process has not seen yet: a party may use its key from the moment it is registered."""
        keyring = self.snapshot(now).keyring
        try:
            kid = decode_header(jws.partition(b".")[0]).kid
        except XianjieError:
            return keyring
        if keyring.find(kid) is None and self.directory.has_key(kid):
            self.directory.forget()
            return self.snapshot(now).keyring
        return keyring

    def rulebook(self, profile: AgreementProfile) -> Rulebook:
        """The rules reconciliation applies to referrals under this agreement version."""
        return Rulebook(
            version=f"{profile.document}/{profile.version}",
            limits=profile.limits,
            calendar=self.calendar,
            programmes=self.programmes,
            coexistence=self.coexistence,
            cap_months=profile.amounts.months,
        )
