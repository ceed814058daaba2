"""重算 A past morning run again exactly as known then, and how today differs from it.

1. find the moment: a run on file, a signed checkpoint of a size, or the last one at or before a time;
2. ask every check about the facts of then, with the clocks standing at that moment;
3. ask them about the facts of now; what appeared since, what was cured and what says something else is the difference;
4. say whether the rules are those of then, whether the log bears out the moment (its root, and each message on the side
   of it that the facts say), and for a run on file whether the very same was found again.
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.domain.reconciliation.as_known import Difference, Seen, changed_rules, difference, rules_in_force
from gateway.domain.reconciliation.values import Finding
from gateway.errors import ConfigError
from gateway.evidence.merkle import root_at
from gateway.flows.as_known import as_known, moment
from gateway.flows.context import Context
from gateway.flows.reconcile import would_find
from gateway.store import history, log, runs
from gateway.store.history import KnownAt
from gateway.store.runs import ReconcileRun


@dataclass(frozen=True, kw_only=True, slots=True)
class Rerun:
    """重算. as_of: where the clocks stood; digest: of what was found; changed_rules: None where no run says which rules
    were in force then; same: whether the run on file found just this, None without one; proven: by the log."""

    known: KnownAt
    as_of: datetime
    found: tuple[Finding, ...]
    digest: str
    since: Difference
    run: ReconcileRun | None
    changed_rules: tuple[str, ...] | None
    same: bool | None
    proven: bool


def rerun(
    context: Context,
    *,
    now: datetime,
    as_of: datetime | None = None,
    size: int | None = None,
    run_id: str | None = None,
) -> Rerun:
    """One of `as_of` (a time), `size` (of the log) or `run_id`. Raises ConfigError, StoreUnavailable."""
    run = _run(context, run_id) if run_id is not None else None
    known = run.known if run is not None else moment(context, by=as_of, size=size)
    at = as_of if as_of is not None else known.at
    with as_known(context, known) as past:
        then = list(would_find(past, as_of=at, now=now))
    seen = Seen()
    seen.add(then)
    return Rerun(
        known=known,
        as_of=at,
        found=tuple(finding for finding, _ in then),
        digest=seen.digest,
        since=difference(then, would_find(context, as_of=now, now=now)),
        run=run,
        changed_rules=_changed_rules(context, run, at),
        same=None if run is None else run.digest == seen.digest,
        proven=_is_proven(context, known),
    )


def _run(context: Context, run_id: str) -> ReconcileRun:
    with context.store.reading() as connection:
        found = runs.find(connection, run_id)
    if found is None:
        raise ConfigError("no such run", ids={"run": run_id})
    return found


def _is_proven(context: Context, known: KnownAt) -> bool:
    with context.store.reading() as connection:
        log.hold_still(connection)
        if known.size > log.head(connection).size or root_at(log.hashes(connection), known.size).hex() != known.root:
            return False
        return history.misplaced(connection, known) == 0


def _changed_rules(context: Context, run: ReconcileRun | None, at: datetime) -> tuple[str, ...] | None:
    """Against the run itself, else against the last one before the moment."""
    if run is None:
        with context.store.reading() as connection:
            run = runs.last_by(connection, at)
    return None if run is None else changed_rules(run.rules, rules_in_force())
