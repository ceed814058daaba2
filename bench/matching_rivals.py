"""对照 What others make of the same rows: exact numbers, hand rules in DuckDB, `recordlinkage`, `splink`.

Each is given our normalised copies (so names are folded, numbers upgraded), and their making does not count in its
time. Each returns pairs of places: those it is sure of, and those it would show a person besides.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.matching.record import PersonRecord

COLUMNS = ("name", "birth", "sex", "region", "number", "phone", "certificate")
CERTAIN, POSSIBLE = 0.99, 0.5


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """sure: joined without asking; shown: put before a person besides. Arrays of places, two columns."""

    sure: Any
    shown: Any


def frame(records: Sequence[PersonRecord]) -> Any:
    """The normalised copies as a table; a number that was not proven counts as well, as it does for us."""
    import pandas as pd

    columns = {name: [getattr(record, name) or None for record in records] for name in COLUMNS}
    return pd.DataFrame({"unique_id": range(len(records)), **columns})


def exact_number(rows: Any) -> Pairs:
    """One number, one person."""
    return _sql(
        rows,
        "SELECT a.unique_id l, b.unique_id r FROM d a JOIN d b ON a.number = b.number AND a.unique_id < b.unique_id",
        None,
    )


_HAND_SURE = """
SELECT a.unique_id l, b.unique_id r FROM d a JOIN d b ON a.number = b.number
WHERE a.unique_id < b.unique_id AND a.name = b.name AND a.birth = b.birth
"""
_HAND_SHOWN = """
SELECT a.unique_id l, b.unique_id r FROM d a JOIN d b ON a.number = b.number WHERE a.unique_id < b.unique_id
UNION
SELECT a.unique_id, b.unique_id FROM d a JOIN d b ON a.name = b.name AND a.birth = b.birth
WHERE a.unique_id < b.unique_id AND (a.number IS NULL OR b.number IS NULL OR levenshtein(a.number, b.number) <= 2
  OR a.phone = b.phone OR length(a.number) <> length(b.number))
UNION
SELECT a.unique_id, b.unique_id FROM d a JOIN d b ON a.certificate = b.number
WHERE a.unique_id <> b.unique_id AND a.name = b.name
UNION
SELECT a.unique_id, b.unique_id FROM d a JOIN d b ON a.birth = b.birth AND a.region = b.region AND a.name[1] = b.name[1]
WHERE a.unique_id < b.unique_id AND (a.number IS NULL OR b.number IS NULL) AND levenshtein(a.name, b.name) <= 1
"""


def hand_rules(rows: Any) -> Pairs:
    """What somebody writes in an afternoon of SQL."""
    return _sql(rows, _HAND_SURE, _HAND_SHOWN)


def _sql(rows: Any, sure: str, shown: str | None) -> Pairs:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    connection.register("given", rows)
    connection.execute("CREATE TABLE d AS SELECT * FROM given")
    found = connection.execute(sure).df().to_numpy()
    more = found if shown is None else connection.execute(shown).df().to_numpy()
    return Pairs(sure=found, shown=more)


def recordlinkage(rows: Any) -> Pairs:
    """Blocks, comparisons and two thresholds, as its manual shows."""
    import recordlinkage as rl

    index = rl.Index()
    for block in (["number"], ["name", "birth"], ["birth", "region"]):
        index.block(block)
    whole = rows.set_index("unique_id")
    pairs = index.index(whole)
    compare = rl.Compare(n_jobs=2)
    compare.exact("number", "number", label="number")
    compare.exact("birth", "birth", label="birth")
    compare.exact("sex", "sex", label="sex")
    compare.exact("region", "region", label="region")
    compare.exact("phone", "phone", label="phone")
    compare.string("name", "name", method="levenshtein", label="name")
    vectors = compare.compute(pairs, whole)
    points = (
        2 * vectors["number"] + vectors["birth"] + 0.2 * vectors["sex"] + 0.3 * vectors["region"]
        + 0.5 * vectors["phone"] + 1.5 * vectors["name"]
    )  # fmt: skip
    sure = vectors.index[points >= 4.5].to_frame().to_numpy()
    return Pairs(sure=sure, shown=vectors.index[points >= 2.7].to_frame().to_numpy())


def splink(rows: Any) -> Pairs:
    """A trained model over DuckDB with two threads, with blocks for the same errors as ours."""
    import duckdb
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.getLogger("splink").setLevel(logging.ERROR)
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    api = DuckDBAPI(connection=connection)
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.LevenshteinAtThresholds("name", 1),
            cl.DamerauLevenshteinAtThresholds("birth", 1),
            cl.ExactMatch("sex"),
            cl.ExactMatch("region"),
            cl.DamerauLevenshteinAtThresholds("number", 1),
            cl.ExactMatch("phone"),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("number"),
            block_on("name", "birth"),
            block_on("birth", "region"),
            block_on("name", "phone"),
            block_on("name", "region", "substr(birth, 1, 4)"),
        ],
        retain_matching_columns=False,
    )
    linker = Linker(api.register(rows), settings)
    linker.training.estimate_probability_two_random_records_match([block_on("number")], recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("number"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("name", "birth"))
    found = linker.inference.predict(threshold_match_probability=POSSIBLE).as_pandas_dataframe()
    both = found[["unique_id_l", "unique_id_r"]]
    return Pairs(sure=both[found["match_probability"] >= CERTAIN].to_numpy(), shown=both.to_numpy())


RIVALS: dict[str, Callable[[Any], Pairs]] = {
    "exact number": exact_number,
    "hand rules": hand_rules,
    "recordlinkage": recordlinkage,
    "splink": splink,
}
