"""合成报送文件 The synthetic province as files its courts would hand in: a folder each, every format the gateway reads.

By quarter of the concluding day: the first is one JSON array, the first referral of the second a JSON object of its
own, the third a filled workbook, everything else NDJSON. Payments and withdrawals are NDJSON named by message type.
The same seed writes the same bytes, except that a workbook holds the time it was made.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from gateway.sandbox.court_sheet import write_court_sheet
from gateway.sandbox.province import SyntheticReferral, referrals
from gateway.sandbox.sequel import SyntheticSequel, court_payments, withdrawals

REFERRAL_TYPE = "referral.submitted"
Rows = Sequence[dict[str, Any]]
T = TypeVar("T", SyntheticReferral, SyntheticSequel)


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenFile:
    """One file. type: message type of every item in it; count: how many there are."""

    path: Path
    court: str
    type: str
    count: int


def write_files(folder: Path, seed: int = 2024, *, workbooks: bool = True) -> list[WrittenFile]:
    """Every referral, payment and withdrawal exactly once. MissingExtra when workbooks are wanted and cannot be made.

    Without workbooks the third quarter is NDJSON like the rest.
    """
    written: list[WrittenFile] = []
    for court, found in _by_court(referrals(seed)):
        target = folder / court.rpartition("/")[2]
        target.mkdir(parents=True, exist_ok=True)
        for path, rows in _referral_files(target, [sent.data for sent in found], workbooks=workbooks):
            written.append(WrittenFile(path=path, court=court, type=REFERRAL_TYPE, count=len(rows)))
    for sequels in (court_payments(seed), withdrawals(seed)):
        for court, later in _by_court(sequels):
            kind = later[0].type
            path = _ndjson(folder / court.rpartition("/")[2] / f"synthetic-{kind}.ndjson", [one.data for one in later])
            written.append(WrittenFile(path=path, court=court, type=kind, count=len(later)))
    return written


def _by_court(items: Iterable[T]) -> Iterator[tuple[str, list[T]]]:
    found = groupby(sorted(items, key=lambda item: item.court), key=lambda item: item.court)
    return ((court, list(group)) for court, group in found)


def _referral_files(target: Path, rows: Rows, *, workbooks: bool) -> Iterator[tuple[Path, Rows]]:
    for number, (quarter, found) in enumerate(groupby(rows, key=_quarter)):
        mine = list(found)
        stem = target / f"synthetic-{quarter}"
        if number == 0:
            yield _text(stem.with_suffix(".json"), [_json(mine)]), mine
            continue
        if number == 1:
            single = mine.pop(0)
            yield _text(stem.with_name(f"{stem.name}-single.json"), [_json(single)]), [single]
        if number == 2 and workbooks:
            write_court_sheet(stem.with_suffix(".xlsx"), mine)
            yield stem.with_suffix(".xlsx"), mine
        elif mine:
            yield _ndjson(stem.with_suffix(".ndjson"), mine), mine


def _ndjson(path: Path, rows: Rows) -> Path:
    return _text(path, [_json(row) for row in rows])


def _text(path: Path, lines: Sequence[str]) -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _quarter(data: dict[str, Any]) -> str:
    day = date.fromisoformat(data["concluded_on"])
    return f"{day.year}q{(day.month + 2) // 3}"
