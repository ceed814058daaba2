"""文件 What a browser brings and takes away: an uploaded file, a file to keep."""

from flask import request
from werkzeug.wrappers import Response

from gateway.errors import FileUnreadable

FILE_FIELD = "file"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def uploaded(most: int) -> tuple[str, bytes]:
    """The uploaded file's name, without any folder, and its bytes, at most so many. Raises FileUnreadable."""
    given = request.files.get(FILE_FIELD)
    if given is None or not given.filename:
        raise FileUnreadable("no file was chosen")
    with given.stream as stream:
        raw = stream.read(most + 1)
    if len(raw) > most:
        raise FileUnreadable(f"larger than {most} bytes")
    return given.filename.replace("\\", "/").rpartition("/")[2], raw


def attachment(content: bytes | str, kind: str, name: str) -> Response:
    """A file to keep. kind: its content type."""
    response = Response(content, content_type=kind)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response
