"""打击 Real processes struck at every failpoint: killed with SIGKILL, or given an I/O error, in the middle of it.

One strike is one installation: two referrals by the real client, the real gateway, a simulated agency. Whoever dies is
started again over the same files, time passes, and at the end the court's journal and the agency's notebook are read.
"""

from collections.abc import Iterable

from gateway.failpoints import POINTS, Action
from tests.faults.installation import Installation, Template, Zygote, template, zygote
from tests.faults.judge import Counts
from tests.faults.scenario import Row, Settings

REFERRALS = 2
OF_COURT = ("client", "journal")
REAL = {Action.KILL: "kill -9 at every failpoint", Action.EIO: "I/O error at every failpoint"}


def strike(mother: Zygote, made: Template, point: str, action: Action, *, nth: int = 1) -> Counts:
    """One strike at one point, the `nth` time it is reached."""
    failpoint = f"{point}:{nth}:{action.value}"
    owner = point.partition(".")[0]
    with made.installation(mother) as here:
        here.start_agency(**({"failpoint": failpoint} if owner == "agency" else {}))
        here.start_gateway(**({} if owner in ("agency", *OF_COURT) else {"failpoint": failpoint}))
        if owner in OF_COURT:
            _by_a_process(here, failpoint)
        else:
            here.refer_all(REFERRALS, lambda: here.has_ended("gateway") and here.start_gateway())
        here.finish(REFERRALS)
        counts = here.judge(REFERRALS)
        if not here.has_struck:
            counts.complain("unexpected", f"{failpoint} was never reached")
        elif counts.is_clean and not counts.recovered:
            counts.recovered = 1  # struck where no party waited for an answer: what was under way was finished
        counts.complaints = [f"{failpoint}: {one}" for one in counts.complaints]
        return counts


def _by_a_process(here: Installation, failpoint: str) -> None:
    """The court is a process of its own, started again until it has every receipt."""
    here.start_court(REFERRALS, failpoint=failpoint)

    def ended_well() -> bool:
        if not here.has_ended("court"):
            return False
        if here.ended["court"][-1] == 0:
            return True
        here.start_court(REFERRALS)
        return False

    here.wait_for(ended_well, "the court's receipts")


def scenario(settings: Settings) -> Iterable[Row]:
    """One row for each action: every point once."""
    with zygote() as mother, template() as made:
        for action, name in REAL.items():
            total = Counts()
            for point in POINTS:
                counts = strike(mother, made, point, action)
                total = total + counts
                settings.tell(f"{action.value} at {point}: {counts.recovered} recovered")
            yield Row(name=name, runs=len(POINTS), counts=total)
