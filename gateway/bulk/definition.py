"""核对定义 Reads `definition.sql`: the steps in their order, and under each code the statement that finds it."""

import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_PART = re.compile(r"^-- (step|doubt): (\w+)\n(.*?);$", re.MULTILINE | re.DOTALL)


class Definition(NamedTuple):
    """核对定义. steps: (name, SQL); doubts: (finding code, SQL)."""

    steps: tuple[tuple[str, str], ...]
    doubts: tuple[tuple[str, str], ...]


@cache
def definition() -> Definition:
    """The shipped one; read once."""
    text = files(__package__).joinpath("definition.sql").read_text(encoding="utf-8")
    found: dict[str, list[tuple[str, str]]] = {"step": [], "doubt": []}
    for kind, name, sql in _PART.findall(text):
        found[kind].append((name, sql.strip()))
    return Definition(steps=tuple(found["step"]), doubts=tuple(found["doubt"]))
