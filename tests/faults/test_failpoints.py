"""故障点 Every named place is in the table, every row of the table is a place; nobody is told to fail by accident."""

import ast
import errno
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import failpoints
from gateway.config import load
from gateway.domain.replies import ReplyCode
from gateway.errors import ConfigError
from gateway.failpoints import POINTS, VARIABLE, Action, OneFailure, SimulatedCrash, failpoint, read_failure
from tests.architecture.sources import ROOT, Source, shipped_sources
from tests.faults.schedule import GATEWAY_POINTS
from tests.sandbox.world import a_message, a_world

CONFIG = '[gateway]\nparty_id = "cn/gateway/520000"\ndatabase = "sqlite:///xianjie.sqlite"\n'


@pytest.fixture(autouse=True)
def nothing_armed() -> Iterator[None]:
    yield
    failpoints.disarm()


def named_in(source: Source) -> list[str]:
    """What each `failpoint(…)` of a file names; a name that is not written out counts as itself."""
    calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
    return [
        str(ast.literal_eval(call.args[0])) if isinstance(call.args[0], ast.Constant) else ast.unparse(call)
        for call in calls
        if ast.unparse(call.func).rpartition(".")[2] == "failpoint"
    ]


def test_the_code_reaches_the_points_of_the_table_each_at_one_place() -> None:
    places = Counter(name for source in shipped_sources() for name in named_in(source))
    assert places == Counter(list(POINTS))


def test_every_point_is_swept_in_the_simulation_or_belongs_to_a_process_that_is_swept() -> None:
    of_processes = {"client", "journal", "agency"}
    assert {name for name in POINTS if name.partition(".")[0] not in of_processes} == set(GATEWAY_POINTS)


def test_a_point_that_is_not_armed_does_nothing() -> None:
    for name in POINTS:
        failpoint(name)


def test_a_failure_strikes_at_the_time_it_is_meant_for_and_once() -> None:
    failpoints.arm(read_failure("deliver.leased:2:eio"))
    failpoint("deliver.leased")
    failpoint("accept.kept")
    with pytest.raises(OSError, match=r"deliver\.leased") as caught:
        failpoint("deliver.leased")
    assert caught.value.errno == errno.EIO
    failpoint("deliver.leased")


def test_no_handler_of_errors_catches_a_simulated_crash() -> None:
    failpoints.arm(OneFailure(point="accept.kept", count=1, action=Action.CRASH))
    with pytest.raises(SimulatedCrash):
        try:
            failpoint("accept.kept")
        except Exception:
            pytest.fail("handled")


def test_killed_means_killed() -> None:
    text = (
        "from gateway.failpoints import arm, failpoint, read_failure\n"
        "arm(read_failure('store.written:1:kill'))\n"
        "try:\n    failpoint('store.written')\nfinally:\n    print('still here')\n"
    )
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-9, "")


@pytest.mark.parametrize("text", ["", "deliver.leased", "deliver.leased:0:eio", "nowhere:1:eio", "store.begun:1:sleep"])
def test_what_names_no_failure_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_failure(text)


def test_a_gateway_that_is_no_demonstration_does_not_start_when_told_to_fail(tmp_path: Path) -> None:
    file = tmp_path / "xianjie.toml"
    file.write_text(CONFIG)
    assert load(file, {}).failpoint is None
    for text in ("deliver.leased:1:kill", ""):
        with pytest.raises(ConfigError, match=VARIABLE):
            load(file, {VARIABLE: text})


def test_a_demonstration_fails_where_it_is_told_to_and_says_what_it_does_not_understand(tmp_path: Path) -> None:
    file = tmp_path / "xianjie.toml"
    file.write_text(CONFIG + "demo = true\n")
    failure = load(file, {VARIABLE: "deliver.leased:3:kill"}).failpoint
    assert failure is not None
    assert (failure.point, failure.count, failure.action) == ("deliver.leased", 3, Action.KILL)
    with pytest.raises(ConfigError, match="no failpoint"):
        load(file, {VARIABLE: "nowhere:1:kill"})


def test_an_agency_that_dies_at_a_withdrawal_has_not_forgotten_it_when_the_message_comes_again() -> None:
    world = a_world()
    world.push(a_message())
    withdrawal = a_message(
        id="m-2",
        type="handoff.withdrawn",
        seq=2,
        data={"handoff_id": "h-1", "needs": []},
        datacontenttype="application/json",
    )
    failpoints.arm(OneFailure(point="agency.kept", count=1, action=Action.CRASH))
    with pytest.raises(SimulatedCrash):
        world.push(withdrawal)
    world.push(withdrawal)
    world.later()
    assert {outcome.code for _, outcome in world.gateway.answers()} == {ReplyCode.CLOSED}
