"""工作簿检查 Whether a file may be opened as XLSX at all, decided on the zip before any library reads it.

Rules: at most 20 MiB, 200 MiB unpacked, 2,000 parts; 8 MiB for each part that is held in memory as a whole, 32 MiB for
the shared texts; no macros, no encryption, no links to other files or data sources; markup in UTF-8 or UTF-16 and
without a DTD, so that no entity can be declared. Zip stops at the size the directory states, so the stated sizes bound
what can come out.
"""

import re
import zipfile
from io import BytesIO
from pathlib import Path

from gateway.errors import FileUnreadable

FILE_LIMIT = 20 * 2**20
UNPACKED_LIMIT = 200 * 2**20
PART_LIMIT = 2_000

TREE_LIMIT = 8 * 2**20
STRINGS_LIMIT = 32 * 2**20

_CHUNK = 2**20
_ENCRYPTED = 0x1
_MACROS = ("vbaproject.bin", "vbadata.xml", "vbaprojectsignature.bin")
_MACRO_TYPE = b"macroenabled"
_TYPES_PART = "[content_types].xml"
_MARKUP = (".xml", ".rels", ".vml")
_STREAMED = "xl/worksheets/"
_STRINGS = "xl/sharedstrings.xml"
_LINKS = ("xl/externallinks/", "xl/connections.xml", "xl/querytables/")
_ENCODINGS = ("utf-8", "utf-16")
_MARKUP_STARTS = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe<\0", b"\xfe\xff\0<")
_DECLARED = re.compile(rb"^[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_DTD = tuple("<!DOCTYPE".encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be"))


def safe_bytes(source: Path | str | bytes) -> bytes:
    """The file's bytes once it has passed every rule above; FileUnreadable names the first rule it breaks."""
    raw = source if isinstance(source, bytes) else _read(Path(source))
    if len(raw) > FILE_LIMIT:
        raise FileUnreadable(f"larger than {FILE_LIMIT} bytes")
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            _check(archive)
    except FileUnreadable:
        raise
    except Exception as wrong:  # a broken archive fails in many ways, and each means this
        raise FileUnreadable("not an XLSX file") from wrong
    return raw


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(FILE_LIMIT + 1)
    except OSError as wrong:
        raise FileUnreadable("the file cannot be opened") from wrong


def _check(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    if len(parts) > PART_LIMIT:
        raise FileUnreadable(f"more than {PART_LIMIT} parts")
    if sum(part.file_size for part in parts) > UNPACKED_LIMIT:
        raise FileUnreadable(f"larger than {UNPACKED_LIMIT} bytes when unpacked")
    for part in parts:
        _check_part(archive, part)


def _check_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    name = part.filename.lower().lstrip("/")
    if part.flag_bits & _ENCRYPTED:
        raise FileUnreadable("encrypted")
    if name.endswith(_MACROS):
        raise FileUnreadable("holds macros; save it as .xlsx")
    if name.startswith(_LINKS):
        raise FileUnreadable("holds links to other files; paste their values instead")
    if not name.endswith(_MARKUP):
        return
    most = STRINGS_LIMIT if name == _STRINGS else TREE_LIMIT
    if part.file_size > most and not name.startswith(_STREAMED):
        raise FileUnreadable(f"a part is larger than {most} bytes when unpacked")
    if name == _TYPES_PART and _MACRO_TYPE in archive.read(part).lower():
        raise FileUnreadable("holds macros; save it as .xlsx")
    _check_markup(archive, part)


def _check_markup(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """An encoding nobody here looks through could hide a declaration, so only two are let in."""
    kept = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            if not kept and not _is_plain(chunk):
                raise FileUnreadable("a part is not in UTF-8 or UTF-16")
            seen = kept + chunk
            if any(mark in seen for mark in _DTD):
                raise FileUnreadable("holds a document type declaration")
            kept = seen[-32:]


def _is_plain(head: bytes) -> bool:
    declared = _DECLARED.match(head[:256].replace(b"\0", b""))
    return head.lstrip(b" \t\r\n").startswith(_MARKUP_STARTS) and (
        declared is None or declared[1].decode("ascii").lower() in _ENCODINGS
    )
