"""权重 The weights of the comparison: log-odds in tenths of ten (decibans), from a table a person can read and change.

Points of an outcome = 10·log10(m/u), rounded: m is how often it is seen for one person's two records, u for two
people's (Fellegi and Sunter, 1969). 10 points are odds of ten to one, 3 points two to one. Version: the digest of both
tables; a verdict names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from math import log10

from gateway.domain.rules import parse_table
from gateway.errors import ConfigError

FIELDS = ("name", "birth", "sex", "number", "certificate", "region", "phone", "guardian", "household")
SHARED = ("region", "phone", "guardian", "household")
"""What relatives have in common; their points are capped."""
MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The loaded tables. points: (field, outcome) → points; words: (field, outcome) → (Chinese, English)."""

    version: str
    points: Mapping[tuple[str, str], int]
    words: Mapping[tuple[str, str], tuple[str, str]]
    same_from: int
    possible_from: int
    household_cap: int


@cache
def load_weights() -> Weights:
    """The shipped tables, read once."""
    folder = files("gateway.matching")
    return weights_from(
        *(folder.joinpath(f"{name}.csv").read_text(encoding="utf-8") for name in ("weights", "thresholds"))
    )


def weights_from(weights: str, thresholds: str) -> Weights:
    """Weights from the text of both tables. Raises ConfigError for a field, a share or a threshold that is none."""
    rows = parse_table("weights", weights)
    limits = {row["name"]: row["points"] for row in parse_table("thresholds", thresholds)}
    try:
        return Weights(
            version=sha256(f"{weights}\0{thresholds}".encode()).hexdigest()[:12],
            points={(row["field"], row["outcome"]): _points(row) for row in rows if row["field"] in FIELDS},
            words={(row["field"], row["outcome"]): (row["zh"], row["en"]) for row in rows},
            same_from=int(limits["same_from"]),
            possible_from=int(limits["possible_from"]),
            household_cap=int(limits["household_cap"]),
        )
    except (KeyError, ValueError) as error:
        raise ConfigError("the weights of the comparison cannot be read", ids={"table": "weights"}) from error


def _points(row: Mapping[str, str]) -> int:
    m, u = float(row["m"]), float(row["u"])
    if not 0 < m <= 1 or not 0 < u <= 1:
        raise ValueError(row["outcome"])
    return round(10 * log10(m / u))
