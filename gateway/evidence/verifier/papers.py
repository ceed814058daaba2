"""文书核对 Each message and receipt by itself: its signature, the key's party and window, who it is from and to.

A key counts at the moment the paper was logged, which is when the gateway took or made it. Receipts must be shaped as
receipts; that they belong to a message is asked in `relations`.
"""

from datetime import datetime

from gateway.envelope.compact import Parts
from gateway.envelope.keyring import Keyring, PublicKey
from gateway.envelope.signing import MESSAGE_TYP, RECEIPT_TYP, prove
from gateway.errors import TrustError
from gateway.evidence.contents import Contents, Paper
from gateway.evidence.verifier.conclusions import Conclusions

CODES = {
    "wrong_typ": "typ_wrong",
    "unknown_kid": "key_unknown",
    "alg_mismatch": "algorithm_other",
    "party_suspended": "party_unknown",
    "bad_signature": "signature_wrong",
}
"""Why a signature does not count, by the note of `signing.prove`; the others are codes of ours already."""


def signer_of(
    parts: Parts, keyring: Keyring, *, typ: str, at: datetime, subject: str, found: Conclusions
) -> PublicKey | None:
    """The key that made the signature, usable at that moment; None, and a conclusion why, otherwise."""
    try:
        return prove(parts, keyring, typ=typ, now=at)
    except TrustError as error:
        found.add(CODES.get(error.note, error.note), subject, kid=parts.header.kid)
        return None


def check_papers(contents: Contents, keyring: Keyring, found: Conclusions) -> None:
    """Every message and receipt; what cannot be read at all is named."""
    for paper in contents.unreadable:
        found.add("paper_unreadable", paper.name, reason=paper.reason)
    for message in contents.messages:
        _check_signature(message, MESSAGE_TYP, contents, keyring, found)
        if (message.envelope.source == contents.gateway) == (message.envelope.recipient == contents.gateway):
            found.add("message_not_the_gateways", message.name)
    for receipt in contents.receipts:
        _check_signature(receipt, RECEIPT_TYP, contents, keyring, found)


def _check_signature(paper: Paper, typ: str, contents: Contents, keyring: Keyring, found: Conclusions) -> None:
    at = contents.logged_at(paper)
    key = signer_of(paper.parts, keyring, typ=typ, at=at, subject=paper.name, found=found)
    if key is not None and key.party_id != paper.envelope.source:
        found.add("source_other", paper.name, source=paper.envelope.source, party=key.party_id)
