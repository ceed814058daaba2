"""工作簿检查 Whether a file may be opened as XLSX at all, decided on the zip before any library reads it.

Rules: at most 20 MiB, 200 MiB unpacked, 2,000 parts; no macros; no encryption; no DTD in any part, so that no entity
can be declared. Zip stops at the size the directory states, so the stated sizes bound what can come out. Links to
other files are left where they are: nothing here or above follows them.
"""

import zipfile
from io import BytesIO
from pathlib import Path

from gateway.errors import FileUnreadable

FILE_LIMIT = 20 * 2**20
UNPACKED_LIMIT = 200 * 2**20
PART_LIMIT = 2_000

_CHUNK = 2**20
_ENCRYPTED = 0x1
_MACROS = ("vbaproject.bin", "vbadata.xml", "vbaprojectsignature.bin")
_MACRO_TYPE = b"macroenabled"
_TYPES_PART = "[content_types].xml"
_MARKUP = (".xml", ".rels", ".vml")
_DTD = tuple("<!DOCTYPE".encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be"))


def safe_bytes(source: Path | str | bytes) -> bytes:
    """The file's bytes once it has passed every rule above; FileUnreadable names the first rule it breaks."""
    raw = source if isinstance(source, bytes) else _read(Path(source))
    if len(raw) > FILE_LIMIT:
        raise FileUnreadable(f"larger than {FILE_LIMIT} bytes")
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            _check(archive)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, EOFError, OSError, ValueError) as wrong:
        raise FileUnreadable("not an XLSX file") from wrong
    except Exception as wrong:
        if isinstance(wrong, FileUnreadable):
            raise
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
        name = part.filename.lower()
        if part.flag_bits & _ENCRYPTED:
            raise FileUnreadable("encrypted")
        if name.endswith(_MACROS):
            raise FileUnreadable("holds macros; save it as .xlsx")
        if name == _TYPES_PART and _MACRO_TYPE in archive.read(part).lower():
            raise FileUnreadable("holds macros; save it as .xlsx")
        if name.endswith(_MARKUP) and _declares_entities(archive, part):
            raise FileUnreadable("holds a document type declaration")


def _declares_entities(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    kept = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            seen = kept + chunk
            if any(mark in seen for mark in _DTD):
                return True
            kept = seen[-32:]
    return False
