"""证据包 The evidence bundle as a file: a zip that has exactly one byte form (docs/evidence.md §2).

Rules: the members the format names and no others, in order, stored and never compressed, one fixed time stamp, nothing
before, between or behind them. So the same evidence is the same bytes, a zip bomb cannot be written, and whatever a
careless or clever hand changed is told by one comparison. Reading is bounded before anything is unpacked. What the
members say is not looked at here.
"""

import re
import stat
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import NoReturn

from gateway.errors import BundleBroken, EvidenceTooLarge

MAX_BUNDLE = 32 * 2**20
MAX_MEMBER = 8 * 2**20
MAX_MEMBERS = 2_000

MANIFEST, SEAL = "manifest.json", "manifest.jws"
DECISIONS, ATTEMPTS, READINGS = "decisions.json", "attempts.json", "readings.json"
KEYS, PARTICIPANTS = "keys.json", "participants.json"
ENTRIES, PROOFS, CHECKPOINT = "log/entries.json", "log/proofs.json", "log/checkpoint.txt"
PAGE, PLAIN = "summary.html", "summary.txt"
REQUIRED = frozenset(
    {MANIFEST, SEAL, DECISIONS, ATTEMPTS, READINGS, KEYS, PARTICIPANTS, ENTRIES, PROOFS, CHECKPOINT, PAGE, PLAIN}
)
PAPER = re.compile(r"(messages|receipts)/([0-9]{3,4})\.jws")

_SAFE = re.compile(r"[a-z0-9_]+(?:[./][a-z0-9_]+)*")
_STAMP = (1980, 1, 1, 0, 0, 0)
_MODE = (stat.S_IFREG | 0o644) << 16
_UNIX, _VERSION = 3, 20
_ENCRYPTED = 0x1
_BEGIN = b"PK\x03\x04"
_END, _END_BYTES, _ZIP64 = b"PK\x05\x06", 22, b"PK\x06\x07"
_DIRECTORY_MOST = 2**20


def message_name(number: int) -> str:
    """The member of the number-th message, counted from 1."""
    return f"messages/{number:03d}.jws"


def receipt_name(number: int) -> str:
    """The member of the number-th receipt, counted from 1."""
    return f"receipts/{number:03d}.jws"


def write_bundle(files: Mapping[str, bytes]) -> bytes:
    """The one zip these members make. Raises EvidenceTooLarge for more than a reader would take."""
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _STAMP)
            info.create_system, info.create_version, info.extract_version = _UNIX, _VERSION, _VERSION
            info.external_attr = _MODE
            archive.writestr(info, files[name])
    too_long = any(len(content) > MAX_MEMBER for content in files.values())
    if too_long or len(files) > MAX_MEMBERS or whole.tell() > MAX_BUNDLE:
        raise EvidenceTooLarge(ids={"members": len(files)})
    return whole.getvalue()


def read_bundle(raw: bytes) -> dict[str, bytes]:
    """The members by name. Raises BundleBroken naming the first rule that is broken, and by which member."""
    if len(raw) > MAX_BUNDLE:
        _broken("bundle_too_large")
    _check_end(raw)
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            files = _read(archive)
    except BundleBroken:
        raise
    except Exception as wrong:  # a broken archive fails in many ways, and each means this
        raise BundleBroken("zip_unreadable", ids={"subject": ""}) from wrong
    for name in sorted(REQUIRED - files.keys()):
        _broken("member_missing", name)
    if write_bundle(files) != raw:
        _broken("zip_not_canonical")
    return files


def _check_end(raw: bytes) -> None:
    """The directory's size and place, before a library makes objects of it."""
    end = raw[-_END_BYTES:]
    if len(end) < _END_BYTES or not end.startswith(_END):
        if not raw.startswith(_BEGIN):
            _broken("zip_unreadable")
        _broken("zip_bytes_behind" if _END in raw else "zip_cut_short")
    if not raw.startswith(_BEGIN):
        _broken("zip_bytes_before")
    count, size = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if count > MAX_MEMBERS or size > _DIRECTORY_MOST or raw[-_END_BYTES - 20 :].startswith(_ZIP64):
        _broken("zip_too_many_members")


def _read(archive: zipfile.ZipFile) -> dict[str, bytes]:
    infos = archive.infolist()
    seen: set[str] = set()
    for info in infos:
        _check_member(info)
        if info.filename in seen:
            _broken("member_repeated", info.filename)
        seen.add(info.filename)
    if sum(info.file_size for info in infos) > MAX_BUNDLE:
        _broken("zip_not_canonical")  # members that lie upon each other
    return {info.filename: _content(archive, info) for info in infos}


def _check_member(info: zipfile.ZipInfo) -> None:
    if not _SAFE.fullmatch(info.filename) or len(info.filename) > 60:
        _broken("member_name_unsafe", _shown(info.filename))
    if info.filename not in REQUIRED and not PAPER.fullmatch(info.filename):
        _broken("member_unknown", info.filename)
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        _broken("member_is_no_file", info.filename)
    if info.flag_bits & _ENCRYPTED:
        _broken("member_encrypted", info.filename)
    if info.file_size > MAX_MEMBER:
        _broken("member_too_large", info.filename)
    if info.compress_type != zipfile.ZIP_STORED:
        _broken("member_compressed", info.filename)


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except Exception as wrong:  # its checksum, its local header, its end
        raise BundleBroken("member_damaged", ids={"subject": info.filename}) from wrong


def _shown(name: str) -> str:
    """A stranger's name as it may be told."""
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in name)[:60]


def _broken(code: str, subject: str = "") -> NoReturn:
    raise BundleBroken(code, ids={"subject": subject})
