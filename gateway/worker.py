"""调度 Which flow runs when, over any number of workers: one lane a push office, every job safe to run twice.

Rules: a tick never overlaps itself. What several workers would only repeat is taken under a lease; what is done once an
interval is a turn, kept in the database, so that it is one worker's and a night nobody was up for is made good. A job
that is only safe alone asks for its lease again inside its own write transaction (`leases.require`). Each office's
queue is emptied in a thread of its own, so a slow office holds up nobody (Law 12). Stopping finishes what is under way
and starts nothing new; whatever is cut off is resumed from the database by the next worker.
"""

import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, time, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from gateway.domain.calendar import CHINA
from gateway.errors import XianjieError
from gateway.flows.adjudicate import adjudicate
from gateway.flows.context import Context
from gateway.flows.cutoff import cut_off
from gateway.flows.deliver import Courier, Push, deliver
from gateway.flows.digest import MORNING, send_digests
from gateway.flows.dispatch import dispatch
from gateway.flows.inquiry_result import tell_due
from gateway.flows.reconcile import reconcile_all, reconcile_due
from gateway.flows.reserve import expire
from gateway.flows.sequence import has_grown, publish
from gateway.flows.statement_read import read_waiting
from gateway.flows.statement_reconcile import reconcile_fresh
from gateway.flows.sweep import fill_all, sweep
from gateway.flows.tell_court import tell_courts
from gateway.store import accounts, dossiers, leases, log, outbox, referrals, statements, tokens
from gateway.store.leases import Lease
from gateway.store.witness import WitnessFile

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25
RECONCILE_SECONDS = 2.0
LANES = 16
BATCH = 200
SETTLED = timedelta(seconds=1)
"""Reconciliation looks at a referral when nothing has happened to it for so long, not after every hop."""
LEASE = timedelta(seconds=10)
KEEP_SECONDS = 3.0
RESERVATIONS_SECONDS = 30.0
TELL_SECONDS = 2.0
ADJUDICATE_SECONDS = 5.0
TURN_SECONDS = 1.0
NIGHT = time(2, 30)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_ALWAYS = frozenset({"tokens", "keep"})
"""Jobs that neither sign nor send: they go on while the gateway recovers."""


class Worker:
    """Runs the flows until stopped."""

    def __init__(
        self,
        context: Context,
        push: Push,
        clock: Callable[[], datetime],
        owner: str,
        *,
        witness: WitnessFile | None = None,
        cutoff_every: timedelta = DAY,
    ) -> None:
        """witness: where this node keeps the last checkpoint; without one it signs none."""
        self._context, self._clock, self._owner = context, clock, owner
        self._witness, self._cutoff_every = witness, cutoff_every
        self._stopping, self._lock, self._resting = threading.Event(), threading.Lock(), False
        self._courier = Courier(push=push, owner=owner, clock=clock, jitter=random.random, rest=self._rest)
        self._lanes = ThreadPoolExecutor(max_workers=LANES, thread_name_prefix="xianjie-lane")
        self._running: dict[str, Future[None]] = {}
        self._turns: set[str] = set()
        self._scheduler = BackgroundScheduler(
            timezone=CHINA, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def start(self) -> None:
        """Starts the clock; returns at once."""
        add = self._scheduler.add_job
        add(self._guarded("dispatch", self.dispatch_all), "interval", seconds=TICK_SECONDS)
        add(self._guarded("deliver", self._start_lanes), "interval", seconds=TICK_SECONDS)
        add(self._guarded("reconcile", self.reconcile), "interval", seconds=RECONCILE_SECONDS)
        nightly = self._in_turn("reconcile_all", self._reconcile_all, next_night)
        mornings = self._in_turn("digest", self._send_digests, next_morning)
        hourly = self._in_turn("tokens", self._forget_tokens, lambda now: now + HOUR)
        daily = self._in_turn("cutoff", self._cut_off, lambda now: now + self._cutoff_every)
        nightly_sweep = self._in_turn("sweep", self._sweep, next_night)
        add(self._guarded("households", self._fill_households))  # once: what an older version did not keep
        add(self._guarded("sweep", nightly_sweep), "interval", seconds=TURN_SECONDS)
        add(self._guarded("sequencer", self.sequence), "interval", seconds=TURN_SECONDS)
        add(self._guarded("cutoff", daily), "interval", seconds=TURN_SECONDS)
        add(self._guarded("reconcile_all", nightly), "interval", seconds=TURN_SECONDS)
        add(self._guarded("digest", mornings), "interval", seconds=TURN_SECONDS)
        add(self._guarded("tokens", hourly), "interval", seconds=TURN_SECONDS)
        add(self._guarded("tell_courts", self.tell_courts), "interval", seconds=TELL_SECONDS)
        add(self._guarded("inquiries", self._tell_inquiries), "interval", seconds=RESERVATIONS_SECONDS)
        add(self._guarded("reservations", self._free_reservations), "interval", seconds=RESERVATIONS_SECONDS)
        add(self._guarded("statements", self.statements), "interval", seconds=RECONCILE_SECONDS)
        add(self._guarded("adjudicate", self.adjudicate), "interval", seconds=ADJUDICATE_SECONDS)
        add(self._guarded("keep", self._keep_turns), "interval", seconds=KEEP_SECONDS)
        self._scheduler.start()
        logger.info("worker started", extra={"owner": self._owner})

    def stop(self) -> None:
        """Lets running work end, starts nothing new."""
        self._stopping.set()
        self._scheduler.shutdown(wait=True)
        self._lanes.shutdown(wait=True)
        self._give_back()
        logger.info("worker stopped", extra={"owner": self._owner})

    def dispatch_all(self) -> int:
        """Hands out everything that waits; returns the number of handoffs."""
        count = 0
        while self._goes_on("dispatch", self._needs_wait):
            done = dispatch(self._context, now=self._clock(), limit=BATCH)
            count += done.handoffs
            if done.handoffs + done.unroutable == 0:
                break
        return count

    def reconcile(self) -> int:
        """Looks at every referral whose next look has come; returns how many."""
        count = 0
        while self._goes_on("reconcile", self._looks_due):
            done = reconcile_due(self._context, now=self._clock() - SETTLED)
            count += done.referrals
            if done.referrals == 0:
                break
        return count

    def statements(self) -> int:
        """Reads the statements whose file is here and compares them; how many were compared."""
        if not self._goes_on("statements", self._statements_wait):
            return 0
        self._turns.add("statements")
        try:
            read_waiting(self._context, now=self._clock())
            return reconcile_fresh(self._context, now=self._clock())
        finally:
            self._turns.discard("statements")

    def adjudicate(self) -> None:
        """Puts new doubts before both sides and keeps matches going; an idle gateway writes nothing."""
        while not self._stopping.is_set() and not adjudicate(self._context, now=self._clock()).is_idle:
            pass

    def sequence(self) -> None:
        """Signs a checkpoint when the log has grown; one worker of all does."""
        if self._witness is None or self._stopping.is_set() or not has_grown(self._context):
            return
        lease = self._take("sequencer")
        if lease is not None:
            publish(self._context, self._witness, lease, now=self._clock())

    def _cut_off(self) -> None:
        cut_off(self._context, now=self._clock(), witness=self._witness)

    def _send_digests(self) -> None:
        send_digests(self._context, now=self._clock())

    def _reconcile_all(self) -> None:
        reconcile_all(self._context, now=self._clock())

    def tell_courts(self) -> int:
        """Tells courts what became of their needs; returns how many moves were looked at."""
        count = 0
        while not self._stopping.is_set():
            done = tell_courts(self._context, now=self._clock())
            count += done
            if done == 0:
                break
        return count

    def _tell_inquiries(self) -> None:
        told = tell_due(self._context, now=self._clock())
        if told:
            logger.info("inquiries due", extra={"count": told})

    def _free_reservations(self) -> None:
        freed = expire(self._context, now=self._clock())
        if freed:
            logger.info("reservations expired", extra={"count": freed})

    def _sweep(self) -> None:
        sweep(self._context, now=self._clock())

    def _fill_households(self) -> None:
        fill_all(self._context, now=self._clock())

    def _forget_tokens(self) -> None:
        now = self._clock()
        self._context.store.write(
            lambda connection: tokens.forget(connection, now=now) + accounts.forget(connection, now=now)
        )

    def _start_lanes(self) -> None:
        with self._context.store.reading() as connection:
            due = outbox.lanes(connection, now=self._clock())
        for office_id in due:
            running = self._running.get(office_id)
            if running is None or running.done():
                self._running[office_id] = self._lanes.submit(self._empty_lane, office_id)

    def _empty_lane(self, office_id: str) -> None:
        try:
            while not self._stopping.is_set():
                done = deliver(self._context, office_id, self._courier)
                if done.sent == 0 or done.open:
                    return
        except XianjieError as error:
            logger.warning("lane stopped", extra={"office_id": office_id, "code": error.code})
        except Exception:
            logger.exception("lane failed", extra={"office_id": office_id})

    def _rest(self, seconds: float) -> bool:
        return not self._stopping.wait(seconds)

    def _goes_on(self, job: str, is_due: Callable[[], bool]) -> bool:
        """Asks before it takes the lease: an idle gateway writes nothing."""
        return not self._stopping.is_set() and is_due() and self._take(job) is not None

    def _needs_wait(self) -> bool:
        with self._context.store.reading() as connection:
            return bool(referrals.waiting(connection, now=self._clock(), limit=1))

    def _statements_wait(self) -> bool:
        with self._context.store.reading() as connection:
            return statements.any_waits(connection)

    def _looks_due(self) -> bool:
        with self._context.store.reading() as connection:
            return bool(dossiers.due(connection, now=self._clock() - SETTLED, limit=1))

    def _in_turn(
        self, job: str, work: Callable[[], object], following: Callable[[datetime], datetime]
    ) -> Callable[[], None]:
        """Once an interval, by one of all workers. One that fails or dies at it leaves it to whoever comes after the
        lease. following: when the next turn is due."""

        def run() -> None:
            with self._context.store.reading() as connection:
                due = leases.free_at(connection, job)
            now = self._clock()
            if due is None:
                self._context.store.write(lambda connection: leases.plan(connection, job, at=following(now)))
            elif due <= now and (lease := self._take(job)):
                self._work_in_turn(lease, work, following)

        return run

    def _work_in_turn(
        self, lease: Lease, work: Callable[[], object], following: Callable[[datetime], datetime]
    ) -> None:
        self._turns.add(lease.name)
        try:
            work()
        finally:
            self._turns.discard(lease.name)
        next_at = following(self._clock())
        self._context.store.write(lambda connection: leases.finish(connection, lease, next_at=next_at))
        logger.info("turn done", extra={"job": lease.name, "owner": self._owner, "fence": lease.fence})

    def _keep_turns(self) -> None:
        """A turn may take longer than its lease."""
        for job in tuple(self._turns):
            if self._take(job) is None:
                logger.warning("turn lost", extra={"job": job, "owner": self._owner})

    def _take(self, name: str) -> Lease | None:
        return self._context.store.write(
            lambda connection: leases.take(connection, name, owner=self._owner, now=self._clock(), length=LEASE)
        )

    def _give_back(self) -> None:
        """The next worker need not wait for our leases to run out; it waits where the database is away."""
        now = self._clock()
        try:
            self._context.store.write(lambda connection: leases.give_back(connection, owner=self._owner, now=now))
        except XianjieError as error:
            logger.warning("leases not given back", extra={"owner": self._owner, "code": error.code})

    def _rests_in_recovery(self) -> bool:
        """Whether the gateway signs nothing now; said once when it begins and once when it ends."""
        with self._context.store.reading() as connection:
            recovering = log.is_recovering(connection)
        with self._lock:
            changed, self._resting = recovering is not self._resting, recovering
        if changed and recovering:
            logger.warning("worker rests in recovery", extra={"owner": self._owner})
        elif changed:
            logger.info("worker goes on", extra={"owner": self._owner})
        return recovering

    def _guarded(self, job: str, work: Callable[[], object]) -> Callable[[], None]:
        """A job's failure is logged and the next tick tries again; nothing else in the process suffers."""

        def run() -> None:
            if self._stopping.is_set():
                return
            try:
                if job in _ALWAYS or not self._rests_in_recovery():
                    work()
            except XianjieError as error:
                logger.warning("job stopped", extra={"job": job, "code": error.code})
            except Exception:
                logger.exception("job failed", extra={"job": job})

        return run


def next_night(now: datetime) -> datetime:
    """The next 02:30 in China."""
    return _next(NIGHT, now)


def next_morning(now: datetime) -> datetime:
    """The next 08:00 in China."""
    return _next(MORNING, now)


def _next(at: time, now: datetime) -> datetime:
    here = now.astimezone(CHINA)
    today = datetime.combine(here.date(), at, CHINA)
    return today if today > here else today + DAY
