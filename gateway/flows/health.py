"""体检 What an installation needs to work, how each stands and what to do; the command line and pages ask alike.

Rules: nothing is changed; a note holds ids, codes and counts, no secret, no address and no path.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.errors import XianjieError
from gateway.flows.context import Context
from gateway.flows.holidays import missing_years
from gateway.store import history, vault

Words = tuple[str, str]
"""Chinese, English."""
_NOTHING: Words = ("", "")


class Health(StrEnum):
    """How one thing stands. attention: it works, and somebody should look at it soon."""

    GOOD = "good"
    ATTENTION = "attention"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """体检项 One thing. fix: what to do about it, empty where nothing needs doing."""

    code: str
    name: Words
    health: Health
    note: Words
    fix: Words = _NOTHING

    def line(self, at: int) -> str:
        """Note and what to do, in Chinese (0) or English (1)."""
        return self.note[at] + (f"{'：' if at == 0 else ': '}{self.fix[at]}" if self.fix[at] else "")


def checked(
    code: str, name: Words, is_good: bool, note: Words, fix: Words = _NOTHING, *, other: Health = Health.BAD
) -> Checked:
    """Good, or the other; what to do is told in the second case alone."""
    health = Health.GOOD if is_good else other
    return Checked(code=code, name=name, health=health, note=note, fix=_NOTHING if is_good else fix)


def same(text: str) -> Words:
    """What needs no translation."""
    return text, text


def installation(context: Context, now: datetime) -> Iterator[Checked]:
    """What every installation needs; the database is up to date."""
    for check in _CHECKS:
        yield check(context, now)


def _own_key(context: Context, now: datetime) -> Checked:
    registered = context.snapshot(now).keyring.find(context.key.kid)
    trouble = "not registered" if registered is None else registered.refusal_at(now)
    return checked("own_key", ("网关密钥", "own key"), trouble is None, same(trouble or context.key.kid))


def _encryption(context: Context, now: datetime) -> Checked:
    found = [key for key in context.decryption if context.snapshot(now).keyring.find(key.kid) is not None]
    none = ("未登记：各方无法加密发来", "none registered: partners cannot encrypt to us")
    return checked(
        "encryption_key", ("加密公钥", "key for encryption"), bool(found), same(found[0].kid) if found else none
    )


def _data_key(context: Context, _: datetime) -> Checked:
    name = ("数据密钥", "data key")
    try:
        with context.store.reading() as connection:
            vault.require_key(connection)
    except XianjieError as error:
        return checked("data_key", name, False, same(error.note))
    kept = ("可打开本库；须与数据库备份分开保存", "opens this database; keep a copy of it apart from the database's")
    return checked("data_key", name, True, kept)


def _agreements(context: Context, now: datetime) -> Checked:
    snapshot = context.snapshot(now)
    latest = [snapshot.agreements[row] for row in snapshot.latest.values()]
    valid = [one.document for one in latest if one.is_valid_on(now.date())]
    return checked(
        "agreements",
        ("会签文件", "agreements"),
        bool(valid),
        same(", ".join(valid)) if valid else ("没有有效的", "none valid"),
        ("运行 `xianjie agreement load FILE`", "run `xianjie agreement load FILE`"),
    )


def _offices(context: Context, now: datetime) -> Checked:
    offices = context.snapshot(now).offices.values()
    silent = ", ".join(sorted(set(context.adapters) - {office.agency for office in offices}))
    note = (f"{len(offices)}；缺 {silent}", f"{len(offices)}; none for {silent}") if silent else same(str(len(offices)))
    return checked("offices", ("承办单位", "offices"), not silent, note)


def _party_keys(context: Context, now: datetime) -> Checked:
    snapshot = context.snapshot(now)
    without = [
        party for party in snapshot.parties if not any(key.usable_at(now) for key in snapshot.keyring.keys_of(party))
    ]
    named = ", ".join(without[:5])
    note = (f"{named} 没有", f"none for {named}") if without else ("各主体均有", "all have one")
    return checked("party_keys", ("主体密钥", "parties' keys"), not without, note)


def _calendar(context: Context, now: datetime) -> Checked:
    years = context.calendar.published_years
    missing = missing_years(context.calendar, now)
    named = ", ".join(str(year) for year in missing)
    health = Health.BAD if now.year not in years else Health.ATTENTION if missing else Health.GOOD
    lacking = (f"{now.year}；缺 {named} 年放假安排", f"{now.year}; no holiday notice for {named}")
    return Checked(
        code="calendar",
        name=("工作日历", "calendar"),
        health=health,
        note=lacking if missing else (f"{now.year} 已载入", f"{now.year} published"),
        fix=("运行 `xianjie calendar load FILE`", "run `xianjie calendar load FILE`") if missing else _NOTHING,
    )


def _past(context: Context, _: datetime) -> Checked:
    with context.store.reading() as connection:
        gone, since = history.not_kept(connection), history.first(connection)
    named = ", ".join(gone)
    kept = (
        (f"自 {since.isoformat()} 起保存", f"kept since {since.isoformat()}")
        if since
        else ("自首个检查点起保存", "kept from the first checkpoint on")
    )
    return checked(
        "past",
        ("当时所知", "the past"),
        not gone,
        (f"{named} 未保存", f"not kept of {named}") if gone else kept,
        ("运行 `xianjie migrate`", "run `xianjie migrate`"),
    )


_CHECKS: tuple[Callable[[Context, datetime], Checked], ...] = (
    _own_key,
    _encryption,
    _data_key,
    _agreements,
    _offices,
    _party_keys,
    _calendar,
    _past,
)
