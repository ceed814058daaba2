"""文件核对 The bundle's files against its manifest, and the manifest's own signature.

Rules: every file is listed with its size and SHA-256, none is there that is not listed, papers are numbered without a
gap, the fingerprint is over these very files; the manifest is sealed by a key of the gateway that was usable then.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from marshmallow import ValidationError

from gateway.envelope import strict_json
from gateway.envelope.compact import decode_segment, split
from gateway.envelope.keyring import Keyring
from gateway.errors import XianjieError
from gateway.evidence import bundle
from gateway.evidence.contents import Contents, fingerprint
from gateway.evidence.packing import SEAL_TYP
from gateway.evidence.verifier.conclusions import Conclusions
from gateway.evidence.verifier.papers import signer_of
from schemas.bundle import SEAL

_UNLISTED = frozenset({bundle.MANIFEST, bundle.SEAL})


def check_files(files: Mapping[str, bytes], manifest: Mapping[str, Any], found: Conclusions) -> None:
    """What is there is what is listed."""
    listed: set[str] = set()
    for row in manifest["files"]:
        name = row["name"]
        if name in listed:
            found.add("file_listed_twice", name)
        listed.add(name)
        if name not in files:
            found.add("file_missing", name)
        elif len(files[name]) != row["size"]:
            found.add("file_size_wrong", name)
        elif sha256(files[name]).hexdigest() != row["sha256"]:
            found.add("file_altered", name)
    for name in sorted(files.keys() - listed - _UNLISTED):
        found.add("file_unlisted", name)
    _check_numbers(files, found)
    if not found.refuted and fingerprint(files) != manifest["fingerprint"]:
        found.add("fingerprint_wrong", bundle.MANIFEST)
    if not found.refuted:
        found.add("files_intact", count=len(listed))


def _check_numbers(files: Mapping[str, bytes], found: Conclusions) -> None:
    for folder, name_of in (("messages", bundle.message_name), ("receipts", bundle.receipt_name)):
        there = {name for name in files if name.startswith(f"{folder}/")}
        for number in range(1, len(there) + 1):
            if name_of(number) not in there:
                found.add("paper_number_missing", name_of(number))
                break


def check_seal(files: Mapping[str, bytes], contents: Contents, keyring: Keyring, found: Conclusions) -> None:
    """The gateway signed this manifest."""
    try:
        parts = split(files[bundle.SEAL])
        payload = SEAL.load(strict_json.loads(decode_segment(parts.payload_segment)))
    except (XianjieError, ValidationError):
        found.add("seal_malformed", bundle.SEAL)
        return
    key = signer_of(parts, keyring, typ=SEAL_TYP, at=contents.made_at, subject=bundle.SEAL, found=found)
    if key is None:
        return
    if key.party_id != contents.gateway:
        found.add("seal_of_other_party", bundle.SEAL, party=key.party_id)
    elif payload["manifest_sha256"] != sha256(files[bundle.MANIFEST]).hexdigest():
        found.add("seal_of_other_manifest", bundle.SEAL)
    else:
        found.add("manifest_sealed", bundle.SEAL, gateway=contents.gateway, kid=key.kid)
