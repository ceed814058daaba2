"""比对基准 How well and how fast persons are told apart: generated populations with truth, the Febrl sets, and others.

    python -m bench.matching --sizes 10000 100000 1000000 --febrl     quality, seconds, memory of each tool
    python -m bench.matching --intake 1000000                         one check at intake among so many known persons

Every tool runs in a process of its own on two threads or processes, on the same rows; memory is that process's highest,
less what it held before it began. The others are given our normalised copies, whose making counts in our time alone.
Needs the extra `bench` (duckdb, splink, recordlinkage, pandas); nothing of it is needed to run the gateway.
"""

import argparse
import gc
import json
import multiprocessing
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

from bench.matching_people import write
from bench.matching_sets import Given, febrl, from_file, normalised
from gateway.matching.bulk import Part, matches
from gateway.matching.decide import MatchVerdict
from gateway.matching.weights import load_weights

OURS = "xianjie"
SEED = 20240601
SHARES = ((Part.NUMBER, Part.NAME_BIRTH, Part.LENT), (Part.NEAR,))
"""Parts of the work for each of two processes, of about the same cost."""


def main() -> None:
    """Prints one table a set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[])
    parser.add_argument("--febrl", action="store_true")
    parser.add_argument("--tools", nargs="*")
    parser.add_argument("--intake", type=int)
    parser.add_argument("--one", nargs=2, metavar=("TOOL", "SET"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(_one(*asked.one)))
        return
    if asked.intake:
        from bench.matching_intake import measure

        measure(asked.intake)
        return
    sets = [f"febrl{number}" for number in (1, 2, 3, 4)] if asked.febrl else []
    with TemporaryDirectory() as folder:
        for size in asked.sizes:
            path = Path(folder) / f"{size}.csv"
            write(path, size, SEED)
            sets.append(str(path))
        for name in sets:
            _table(Path(name).stem, name, asked.tools)


def _table(heading: str, name: str, tools: Sequence[str] | None) -> None:
    from bench.matching_rivals import RIVALS

    print(f"\n{heading}")
    print("| tool | SAME: precision | recall | with POSSIBLE: precision | recall | seconds | of processor | MiB |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for tool in tools or (*RIVALS, OURS):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "bench.matching", "--one", tool, name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            print(f"| {tool} | failed: {done.stderr.strip().splitlines()[-1][:80]} |")
            continue
        found = json.loads(done.stdout.strip().splitlines()[-1])
        seconds = f"{found['seconds']:.1f}"
        if found["normalising"]:
            seconds += f" (+ {found['normalising']:.1f} normalising)"
        quality = " | ".join(f"{found[key]:.4f}" for key in ("precision_same", "recall_same", "precision", "recall"))
        print(f"| {tool} | {quality} | {seconds} | {found['processor']:.1f} | {found['mib']:.0f} |", flush=True)


def _one(tool: str, name: str) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    gc.disable()  # millions of tuples that live to the end: nothing to collect (measured: a third of the time)
    given = _given(name)
    if tool == OURS:
        given.rows.clear()
        sure, shown, spent = _ours(name)
        seconds, processor, normalising, mib = spent
    else:
        records = normalised(given)
        given.rows.clear()
        from bench.matching_rivals import RIVALS, frame

        table = frame(records)
        records.clear()
        normalising = 0.0
        before = _rss("VmRSS")
        begun, working = perf_counter(), process_time()
        pairs = RIVALS[tool](table)
        seconds, processor = perf_counter() - begun, process_time() - working
        mib = _rss("VmHWM") - before
        sure, shown = _pairs(pairs.sure), _pairs(pairs.shown)
    measured = {"seconds": seconds, "processor": processor, "normalising": normalising, "mib": mib}
    return _quality(given, sure, shown) | measured


def _given(name: str) -> Given:
    return febrl(int(name[-1])) if name.startswith("febrl") else from_file(Path(name))


def _ours(name: str) -> tuple[set[tuple[int, int]], set[tuple[int, int]], tuple[float, ...]]:
    """Two processes; each reads and normalises everything and takes some parts. Copies of one process's records would
    cost more than making them twice (measured). Spent: seconds of matching (the slower process's, and of processors in
    both), of normalising, and what both held beside the records."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        parts = pool.map(_share, [(name, 0), (name, 1)], chunksize=1)
    found = [pair for part, _ in parts for pair in part]
    sure = {(at, other) for at, other, same in found if same}
    spent = [one for _, one in parts]
    return (
        sure,
        {(at, other) for at, other, _ in found},
        (
            max(one[0] for one in spent),
            sum(one[1] for one in spent),
            max(one[2] for one in spent),
            sum(one[3] for one in spent),
        ),
    )


def _share(asked: tuple[str, int]) -> tuple[list[tuple[int, int, bool]], tuple[float, ...]]:
    gc.disable()
    name, number = asked
    given, weights = _given(name), load_weights()
    begun = perf_counter()
    records = normalised(given)
    normalising, before = perf_counter() - begun, _rss("VmRSS")
    given.rows.clear()
    begun, working = perf_counter(), process_time()
    found = [
        (at, other, verdict is MatchVerdict.SAME)
        for at, other, verdict, _ in matches(records, weights, parts=SHARES[number])
    ]
    spent = (perf_counter() - begun, process_time() - working)
    return found, (*spent, normalising, max(0.0, _rss("VmHWM") - before))


def _pairs(array: Any) -> set[tuple[int, int]]:
    return {(min(a, b), max(a, b)) for a, b in array.astype(int).tolist()}


def _quality(given: Given, sure: set[tuple[int, int]], shown: set[tuple[int, int]]) -> dict[str, float]:
    truth, sides = given.truth, given.sides
    if sides is not None:
        sure, shown = ({p for p in pairs if sides[p[0]] != sides[p[1]]} for pairs in (sure, shown))
    people = Counter(truth)
    true = len(truth) // 2 if sides is not None else sum(n * (n - 1) // 2 for n in people.values())
    both = sure | shown
    right_sure, right = _right(truth, sure), _right(truth, both)
    return {
        "precision_same": right_sure / (len(sure) or 1),
        "recall_same": right_sure / true,
        "precision": right / (len(both) or 1),
        "recall": right / true,
    }


def _right(truth: Sequence[str], pairs: Iterable[tuple[int, int]]) -> int:
    return sum(truth[one] == truth[other] for one, other in pairs)


def _rss(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


if __name__ == "__main__":
    main()
