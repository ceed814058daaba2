"""诊断 How this installation runs right now: clock, database, disk, copies, workers, log, queues, each with what to do.

Rules: nothing is changed; what is told holds ids, codes, counts and moments: no secret, no personal data, no address,
no path. `report` is the same as one file, to hand to whoever helps.
"""

import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from gateway.flows import health
from gateway.flows.context import Context
from gateway.flows.health import Checked, Health, checked, same
from gateway.store import backup_mark, checkpoints, lanes, log, machine, migrate
from gateway.store.clock import from_ms
from gateway.store.lanes import Lane
from gateway.store.machine import HeldLease
from schemas.fields import format_moment

GIB = 2**30
LIBRARIES = ("SQLAlchemy", "cryptography", "joserfc", "Flask", "waitress", "APScheduler", "lxml", "psycopg")
HEARTBEAT = "tokens"
"""The turn that is due every hour: while it is done, some worker lives."""
LATE = timedelta(minutes=10)
UNSIGNED = timedelta(minutes=5)
BACKUP_SOON, BACKUP_LATE = timedelta(days=2), timedelta(days=7)
DRIFT, BAD_DRIFT = timedelta(seconds=5), timedelta(seconds=60)
LONG_WAIT = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """诊断 Everything that was looked at."""

    at: datetime
    party_id: str
    checks: tuple[Checked, ...]
    leases: tuple[HeldLease, ...]
    versions: Mapping[str, str]
    queues: Mapping[str, int]
    years: tuple[int, ...]

    @property
    def worst(self) -> Health:
        """As the worst thing stands."""
        found = {one.health for one in self.checks}
        return next((one for one in (Health.BAD, Health.ATTENTION) if one in found), Health.GOOD)


def diagnose(context: Context, *, now: datetime) -> Diagnosis:
    """Looks at all of it."""
    with context.store.reading() as connection:
        every = lanes.lanes(connection)
        held = tuple(machine.leases(connection))
        checks = [
            _clock(context, connection, now),
            *_database(context, connection),
            _log(connection, now),
            _workers(held, now),
            _sessions(connection, now),
            *_waiting(every, now),
        ]
        versions = _versions(context, machine.server_version(connection))
        queues = _queues(connection, every)
    checks += [*_disks(context), _backup(context, now), *health.installation(context, now)]
    return Diagnosis(
        at=now,
        party_id=context.party_id,
        checks=tuple(checks),
        leases=held,
        versions=versions,
        queues=queues,
        years=tuple(sorted(context.calendar.published_years)),
    )


def _clock(context: Context, connection: Connection, now: datetime) -> Checked:
    name = ("时钟", "clock")
    newest = machine.newest_moment(connection)
    if newest is not None and newest > now + DRIFT:
        behind = int((newest - now).total_seconds())
        note = (f"比已存的最新记录慢 {behind} 秒", f"{behind} seconds behind the newest record")
        return checked("clock", name, False, note, ("校准系统时间", "set this machine's time right"))
    theirs, tells = machine.server_time(connection), context.installed.machine_clock
    if theirs is None or tells is None:
        return checked(
            "clock", name, True, ("与数据库同一台机器，同一时钟", "the database is on this machine, one clock")
        )
    drift = abs(theirs - tells())
    note = (f"与数据库相差 {drift.total_seconds():.1f} 秒", f"{drift.total_seconds():.1f} seconds from the database's")
    other = Health.BAD if drift > BAD_DRIFT else Health.ATTENTION
    fix = ("网关以数据库时间为准；仍应校准本机时间", "the gateway goes by the database's; still set this machine right")
    return checked("clock", name, drift <= DRIFT, note, fix, other=other)


def _database(context: Context, connection: Connection) -> Iterator[Checked]:
    engine = "SQLite" if context.store.is_sqlite else "PostgreSQL"
    revision, head = migrate.current(connection) or "", migrate.head()
    yield checked(
        "database",
        ("数据库", "database"),
        revision == head,
        (f"{engine}，库表版本 {revision}，程序需要 {head}", f"{engine}, tables {revision}, this version needs {head}"),
        ("运行 `xianjie migrate`", "run `xianjie migrate`"),
    )
    size = machine.size(connection) / 2**20
    yield checked("database_size", ("数据库大小", "database size"), True, same(f"{size:,.1f} MiB"))


def _log(connection: Connection, now: datetime) -> Checked:
    name = ("存证日志", "log")
    head, newest = log.head(connection), checkpoints.newest(connection)
    if head.recovering:
        fix = ("运行 `xianjie recovery status`", "run `xianjie recovery status`")
        return checked("log", name, False, ("恢复中，不签发", "in recovery: nothing is signed"), fix)
    is_signed = newest is not None and (newest["epoch"], newest["size"]) == (head.epoch, head.size)
    signed_at = None if newest is None else from_ms(newest["at"])
    is_late = not is_signed and head.size > 0 and (signed_at is None or now - signed_at > UNSIGNED)
    signed = 0 if newest is None or newest["epoch"] != head.epoch else newest["size"]
    note = (f"{head.size} 条，已签 {signed} 条", f"{head.size} leaves, {signed} signed")
    return checked(
        "log",
        name,
        not is_late,
        note,
        ("确认后台进程 `xianjie work` 在运行", "see that `xianjie work` runs"),
        other=Health.ATTENTION,
    )


def _workers(held: tuple[HeldLease, ...], now: datetime) -> Checked:
    name = ("后台进程", "workers")
    fix = ("启动 `xianjie work`（或 `xianjie serve --work`）", "start `xianjie work` (or `xianjie serve --work`)")
    beat = next((one for one in held if one.name == HEARTBEAT), None)
    if beat is None:
        return checked("workers", name, False, ("从未运行", "none ever ran"), fix, other=Health.ATTENTION)
    if beat.until < now - LATE:
        minutes = int((now - beat.until).total_seconds() // 60)
        note = (f"每小时的任务已逾期 {minutes} 分钟", f"what is done every hour is {minutes} minutes late")
        return checked("workers", name, False, note, fix)
    owners = len({one.owner for one in held if one.owner and one.until > now})
    note = (f"正常；此刻 {owners} 个进程持有租约", f"at work; {owners} hold leases just now")
    return checked("workers", name, True, note)


def _sessions(connection: Connection, now: datetime) -> Checked:
    count = machine.sessions(connection, now)
    return checked("sessions", ("登录会话", "sessions"), True, same(str(count)))


def _waiting(every: Sequence[Lane], now: datetime) -> Iterator[Checked]:
    stuck = sum(one.stuck for one in every)
    resting = sum(one.paused or one.is_blocked(now) for one in every)
    oldest = min((one.oldest for one in every if one.oldest is not None), default=None)
    yield checked(
        "stuck",
        ("停送与被拒收", "parked and refused"),
        not stuck,
        same(str(stuck)),
        ("在“投递”页查看并重发", "look at Delivery and send again"),
        other=Health.ATTENTION,
    )
    yield checked(
        "lanes",
        ("暂停或熔断的通道", "lanes that rest"),
        not resting,
        same(str(resting)),
        ("在“投递”页查看", "look at Delivery"),
        other=Health.ATTENTION,
    )
    is_long = oldest is not None and now - oldest > LONG_WAIT
    hours = 0 if oldest is None else int((now - oldest).total_seconds() // 3600)
    yield checked(
        "oldest",
        ("最久未送达", "longest wait"),
        not is_long,
        (f"{hours} 小时", f"{hours} hours"),
        ("在“投递”页查看该承办单位", "look at the office at Delivery"),
        other=Health.ATTENTION,
    )


def _disks(context: Context) -> Iterator[Checked]:
    folder, state = machine.folder_of(context.store), context.installed.state
    yield _disk("disk_database", ("数据库所在磁盘", "disk of the database"), folder)
    yield _disk("disk_state", ("状态文件夹所在磁盘", "disk of the state folder"), state)


def _disk(code: str, name: health.Words, folder: Path | None) -> Checked:
    if folder is None:
        return checked(code, name, True, ("不在本机或未配置，未查看", "not on this machine or not set: not looked at"))
    there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    try:
        found = shutil.disk_usage(there)
    except OSError as error:
        note = (f"无法读取（{type(error).__name__}）", f"cannot be read ({type(error).__name__})")
        return checked(code, name, False, note, other=Health.ATTENTION)
    share = found.free / found.total if found.total else 0.0
    is_bad, is_low = found.free < GIB or share < 0.05, share < 0.15
    note = (f"剩余 {found.free / GIB:,.1f} GiB（{share:.0%}）", f"{found.free / GIB:,.1f} GiB free ({share:.0%})")
    fix = ("清理或扩容；写满后网关停止接收", "make room: a full disk stops the gateway from accepting")
    return checked(code, name, not (is_bad or is_low), note, fix, other=Health.BAD if is_bad else Health.ATTENTION)


def _backup(context: Context, now: datetime) -> Checked:
    name = ("备份", "backup")
    state = context.installed.state
    found = None if state is None else backup_mark.last(state)
    if found is None:
        return checked(
            "backup",
            name,
            False,
            ("本机没有备份记录（其他工具所做的不留记录）", "none on record here; those by other tools leave none"),
            (
                "定期运行 `xianjie backup OUT`，并把副本存到别处",
                "run `xianjie backup OUT` by a timer; keep copies elsewhere",
            ),
            other=Health.ATTENTION,
        )
    age = max(now - found.at, timedelta(0))
    hours = int(age.total_seconds() // 3600)
    return checked(
        "backup",
        name,
        age <= BACKUP_SOON,
        (f"上次 {hours} 小时前", f"the last {hours} hours ago"),
        ("运行 `xianjie backup OUT`", "run `xianjie backup OUT`"),
        other=Health.BAD if age > BACKUP_LATE else Health.ATTENTION,
    )


def _queues(connection: Connection, every: Sequence[Lane]) -> dict[str, int]:
    found = {"to_route": machine.waiting_to_route(connection)}
    for lane in every:
        for state, count in lane.open.items():
            found[state.value] = found.get(state.value, 0) + count
    found["courts_available"] = sum(one.count for one in lanes.unfetched(connection))
    return found


def _versions(context: Context, server: str) -> dict[str, str]:
    found = {"xianjie": _version("xianjie"), "Python": platform.python_version()}
    found["SQLite" if context.store.is_sqlite else "PostgreSQL"] = server
    return found | {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "—"


def report(found: Diagnosis) -> dict[str, Any]:
    """The same for a file. Who holds a lease is left out: it names a machine."""
    return {
        "report": "xianjie diagnostics",
        "at": format_moment(found.at),
        "party": found.party_id,
        "worst": found.worst.value,
        "checks": [
            {"code": one.code, "health": one.health.value, "zh": one.line(0), "en": one.line(1)} for one in found.checks
        ],
        "leases": [
            {"name": one.name, "held": bool(one.owner), "fence": one.fence, "until": format_moment(one.until)}
            for one in found.leases
        ],
        "queues": dict(found.queues),
        "versions": dict(found.versions),
        "holiday_years": list(found.years),
    }
