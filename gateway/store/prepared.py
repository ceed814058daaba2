"""预备语句 Hot statements are built once: building one costs more than running it, and its cache key stays with it."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

IDS = "ids"


def among(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """`column IN (…)`, the values given at execution by `ids(…)`."""
    return column.in_(sa.bindparam(IDS, expanding=True))


def ids(values: Iterable[Any]) -> dict[str, list[Any]]:
    """The parameters of a statement with one `among`."""
    return {IDS: list(values)}
