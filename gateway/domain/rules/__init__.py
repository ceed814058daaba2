"""规则表 The code lists and rule tables shipped as CSV; `SOURCES.md` beside them says where each comes from.

`read_table` is the only reader. Tables are read when a caller asks, never at import, so a broken table stops the
command that needs it and nothing else. A table without a row, or with a ragged row, is a `ConfigError`.
"""

import csv
import io
from importlib.resources import files

from gateway.errors import ConfigError


def read_table(name: str) -> list[dict[str, str]]:
    """Rows of `rules/<name>.csv` in file order, every cell text (empty where blank); ConfigError for a bad table."""
    resource = files(__name__).joinpath(f"{name}.csv")
    if not resource.is_file():
        raise ConfigError(f"rule table {name} is missing", ids={"table": name})
    return parse_table(name, resource.read_text(encoding="utf-8"))


def parse_table(name: str, text: str) -> list[dict[str, str]]:
    """Rows of CSV text with a header line; `name` is only for the error."""
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    if not body:
        raise ConfigError(f"rule table {name} is empty", ids={"table": name})
    if len(set(header)) != len(header):
        raise ConfigError(f"rule table {name} names a column twice", ids={"table": name})
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise ConfigError(f"rule table {name}: line {number} is ragged", ids={"table": name, "line": number})
    return [dict(zip(header, row, strict=True)) for row in body]
