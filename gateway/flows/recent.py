"""近期移送 Referrals this process has just proven, by the digest of their bytes.

Dispatch needs a referral soon after intake read it; the digest names exactly the bytes that were proven, so a changed
row in the database finds nothing here. Bounded: what fell out is proven again.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from gateway.domain.referral import Referral

KEPT = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvenReferral:
    """A referral with the party and message id its signed bytes name."""

    court: str
    message_id: str
    referral: Referral


class RecentReferrals:
    """The last `KEPT`, safe for threads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._by_digest: OrderedDict[str, ProvenReferral] = OrderedDict()

    def keep(self, digest: str, proven: ProvenReferral) -> None:
        """Remembers a proven referral; the oldest makes room."""
        with self._lock:
            self._by_digest[digest] = proven
            if len(self._by_digest) > self._kept:
                self._by_digest.popitem(last=False)

    def take(self, digest: str) -> ProvenReferral | None:
        """The referral of these bytes, if it is still known; most are asked for once, so it is forgotten."""
        with self._lock:
            return self._by_digest.pop(digest, None)
