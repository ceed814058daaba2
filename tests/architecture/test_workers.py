"""Tests on several workers: a folder whose tests must not meet is one worker's, whoever comes first."""

import re
import subprocess
import sys

from tests.architecture.sources import ROOT

TOGETHER = (
    "tests/faults/test_failpoints.py::test_a_point_that_is_not_armed_does_nothing",
    "tests/faults/test_failpoints.py::test_the_code_reaches_the_points_of_the_table_each_at_one_place",
)
BESIDE = "tests/unit/test_merkle.py::test_known_proofs_of_the_classic_tree"
TOLD = re.compile(r"^\[(gw\d)\].* PASSED (\S+)", re.MULTILINE)


def test_fleets_of_processes_run_one_at_a_time() -> None:
    command = [sys.executable, "-m", "pytest", "-n", "2", "-vv", "-p", "no:cacheprovider", *TOGETHER, BESIDE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    where = {name: worker for worker, name in TOLD.findall(done.stdout)}
    assert set(where) == {*TOGETHER, BESIDE}, done.stdout
    assert len({where[name] for name in TOGETHER}) == 1
    assert where[BESIDE] != where[TOGETHER[0]]
