"""系统调用 I/O errors from the kernel: strace makes the n-th write, sync or send of the gateway fail, for every n.

strace attaches to a gateway that is up and idle, so n counts from the first referral on, in each thread by itself (one
thread commits). First a run that only counts says how many there are; then one run for each n and error. Where strace
is missing or may not attach, `why_not` says so and nothing is swept.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from tests.faults.installation import Template, Zygote, template, zygote
from tests.faults.judge import Counts
from tests.faults.scenario import Row, Settings

REFERRALS = 1
CALLS = ("pwrite64", "fdatasync", "sendto")
ERRORS = {"pwrite64": ("EIO", "ENOSPC"), "fdatasync": ("EIO", "ENOSPC"), "sendto": ("EIO",)}
"""A send finds no disk to be full."""
ATTACH_WITHIN_S = 10.0
FEW = 60
"""So many n of a call are tried unless all are asked for."""


def why_not() -> str | None:
    """Why nothing can be swept here; None where it can."""
    if sys.platform != "linux" or shutil.which("strace") is None:
        return "no strace here"
    with subprocess.Popen(["sleep", "30"]) as sleeper:
        try:
            with _attached(sleeper.pid, "-e", "trace=none") as attached:
                return None if attached else "strace may not attach here"
        finally:
            sleeper.kill()


@contextmanager
def _attached(pid: int, *options: str, output: Path | None = None) -> Iterator[bool]:
    """strace on all threads of a process, until the block ends; False where it could not."""
    command = ["strace", "-f", "-p", str(pid), "-o", str(output or os.devnull), *options]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    until = monotonic() + ATTACH_WITHIN_S
    is_on = False
    while monotonic() < until and (line := strace.stderr.readline()):
        if "attached" in line:
            is_on = True
            break
    try:
        yield is_on
    finally:
        strace.terminate()
        strace.wait()
        strace.stderr.close()


def one_run(mother: Zygote, made: Template, *options: str) -> tuple[Counts, str]:
    """One referral all the way, with strace on the gateway from before it came; the counts and what strace wrote."""
    with made.installation(mother) as here:
        here.start_agency()
        pid = here.start_gateway()
        trace = here.folder / "strace"
        with _attached(pid, *options, output=trace) as attached:
            if not attached:
                raise AssertionError("strace did not attach")
            here.refer_all(REFERRALS, lambda: here.has_ended("gateway") and here.start_gateway())
            here.finish(REFERRALS)
        return here.judge(REFERRALS), _text(trace)


def _text(trace: Path) -> str:
    return trace.read_text(errors="replace") if trace.exists() else ""


def counted(mother: Zygote, made: Template) -> dict[str, int]:
    """How often the busiest thread makes each call in one run."""
    _, text = one_run(mother, made, "-e", f"trace={','.join(CALLS)}")
    found: dict[str, Counter[str]] = {call: Counter() for call in CALLS}
    for thread, call in re.findall(r"^(\d+)\s+(\w+)\(", text, re.MULTILINE):
        found[call][thread] += 1
    return {call: max(threads.values(), default=0) for call, threads in found.items()}


def struck(mother: Zygote, made: Template, call: str, error: str, nth: int) -> tuple[Counts, bool]:
    """One run in which the `nth` such call of each thread fails; whether any did."""
    inject = f"inject={call}:error={error}:when={nth}"
    counts, text = one_run(mother, made, "-e", f"trace={call}", "-e", inject)
    counts.complaints = [f"{call} {nth} {error}: {one}" for one in counts.complaints]
    was_met = "INJECTED" in text
    if was_met and counts.is_clean:
        counts.recovered = max(counts.recovered, 1)
    return counts, was_met


def plan(call: str, most: int, settings: Settings) -> list[tuple[int, str]]:
    """(n, error) to try: every n with every error when thorough; else so many, evenly spaced, from where the seed says,
    the errors in turn."""
    if settings.thorough or most <= FEW:
        return [(nth, error) for nth in range(1, most + 1) for error in ERRORS[call]]
    step = most / FEW
    first = settings.seed % max(1, int(step))
    errors = ERRORS[call]
    return [(min(most, 1 + first + round(at * step)), errors[at % len(errors)]) for at in range(FEW)]


def scenario(settings: Settings) -> Iterable[Row]:
    """One row for each system call."""
    reason = why_not()
    if reason is not None:
        yield Row(name="I/O errors from the kernel", runs=0, note=f"left out: {reason}")
        return
    with zygote() as mother, template() as made:
        most = counted(mother, made)
        for call in CALLS:
            total, met = Counts(), 0
            for nth, error in plan(call, most[call], settings):
                counts, was_met = struck(mother, made, call, error, nth)
                total, met = total + counts, met + was_met
                settings.tell(f"{call} {nth} {error}: {'struck' if was_met else 'never made'}")
            yield Row(name=f"{call} fails, n up to {most[call]}", runs=met, counts=total)
