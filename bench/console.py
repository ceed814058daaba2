"""管理台测量 How long the console's pages take with a million referrals on file: `python -m bench.console`.

    python -m bench.console [--rows N] [--database URL] [--times N]

Each page is asked for as a browser would, through the whole application (session, rights, reading, log leaf, template),
in one process: the wire is left out. The same pages over an almost empty database stand beside it. `--database` names a
PostgreSQL database that is emptied first; without it a file of SQLite is made. Processor time is that of this process,
without PostgreSQL's own: on a busy machine it says more than the clock.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Flask

from bench.console_rows import Province, fill
from bench.table import Measured, show
from gateway.domain.access import Role
from gateway.domain.agreement import Channel
from gateway.domain.person import SpecificGroup
from gateway.domain.rules import read_table
from gateway.store import tables as t
from gateway.web.site import create_site
from tests.gateway_world import World, emptied, migrated
from tests.web.people import Somebody, signed_in, somebody

ROWS, TIMES, AIM_MS = 1_000_000, 40, 300.0
LIST, FINDINGS, TODAY = "/console/referrals", "/console/findings", "/console"


class Taken(NamedTuple):
    """Milliseconds of one page, by the clock and by the processor."""

    clock: float
    busy: float


def main() -> None:
    """Prints one table."""
    asked = _arguments()
    logging.disable(logging.WARNING)
    with _database(asked.database) as url:
        world = World(url)
        _fill_directory(world)
        site = create_site(world.context, lambda: world.now, public_url=None)
        reader, regional = _readers(world, site)
        little = measure(world, reader, regional, asked.times)
        took = fill(url, _province(world), asked.rows)
        much = measure(world, reader, regional, asked.times)
        show(
            f"{world.store.engine.dialect.name}: {asked.rows:,} referrals, filled in {took:.0f} s", _table(little, much)
        )
        world.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--database")
    parser.add_argument("--times", type=int, default=TIMES)
    return parser.parse_args()


@contextmanager
def _database(url: str | None) -> Iterator[str]:
    if url is not None:
        migrated(url)
        yield emptied(url)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/xianjie.sqlite"


def _fill_directory(world: World) -> None:
    """A court and an office of civil affairs in every region of the province, and one referral the whole way round."""
    for row in read_table("regions"):
        if row["parent"].startswith("52") and not row["replaced_by"]:
            world.add_court(f"cn/court/{row['code']}", row["code"])
            if row["code"] != "520102":
                world.add_office("civil_affairs", Channel.MAILBOX, row["code"])
    handoff = world.hand_over()
    world.answer(handoff, "10")
    world.answer(handoff, "30", xj_amount="650.00", abaf0028="202603", abaf0029="202702")


def _province(world: World) -> Province:
    snapshot = world.context.snapshot(world.now)
    courts = [one.party_id for one in snapshot.parties.values() if one.kind.value == "court"]
    with world.store.reading() as connection:
        last = max(connection.scalar(sa.select(sa.func.max(table.c.row))) or 0 for table in (t.referrals, t.needs))
    offices = [one.office_id for one in snapshot.offices.values() if one.agency == "civil_affairs"]
    return Province(courts=sorted(courts), offices=sorted(offices), now=world.now, first_row=last + 1)


def _readers(world: World, site: Flask) -> tuple[Somebody, Somebody]:
    """Who sees everything, and who sees one prefecture's courts."""
    return somebody(world, site, Role.RECONCILER), somebody(
        world, site, Role.RECONCILER, name="regional", region="5203"
    )


def measure(world: World, reader: Somebody, regional: Somebody, times: int) -> dict[str, list[Taken]]:
    """What each page took, by what it is."""
    world.now += timedelta(minutes=2)
    reader, regional = signed_in(reader.site, reader.account), signed_in(regional.site, regional.account)
    found: dict[str, list[Taken]] = {}
    for what, paths in _pages(world, times).items():
        who = regional if what.endswith("one prefecture") else reader
        taken = found.setdefault(what, [])
        for path in paths:
            if "cold" in what:
                world.now += timedelta(seconds=61)
            began, busy = time.perf_counter(), time.process_time()
            answer = who.get(path)
            taken.append(Taken(1000 * (time.perf_counter() - began), 1000 * (time.process_time() - busy)))
            if answer.status_code != 200:
                raise SystemExit(f"{path}: {answer.status_code}")
    return found


def _pages(world: World, times: int) -> dict[str, list[str]]:
    """Addresses by what is measured; every search asks for something else each time."""
    chance = Random(1)
    with world.store.reading() as connection:
        highest = connection.scalar(sa.select(sa.func.max(t.referrals.c.row))) or 1
        picked = [chance.randrange(1, highest + 1) for _ in range(times * 3)]
        rows = connection.execute(sa.select(t.referrals).where(t.referrals.c.row.in_(picked))).mappings().all()
    rows = [chance.choice(rows) for _ in range(times)]
    offices = [one for one in world.context.snapshot(world.now).offices if one.startswith("civil_affairs")]
    some = [chance.choice(offices) for _ in range(times)]
    courts = [row["court"] for row in rows]
    middle = [f"{row['accepted_at']}-{row['row']}" for row in rows]

    def search(*queries: dict[str, Any]) -> list[str]:
        return [f"{LIST}?{urlencode(query)}" for query in queries]

    days = [time.strftime("%Y-%m-%d", time.gmtime(row["accepted_at"] / 1000)) for row in rows]
    return {
        "今日 today, kept": [TODAY] * times,
        "今日 today, cold": [TODAY] * max(3, times // 8),
        "今日 today, cold, one prefecture": [TODAY] * max(3, times // 8),
        "列表 list, first page": [LIST] * times,
        "列表 list, from somewhere": search(*({"after": at} for at in middle)),
        "列表 list, one prefecture": search(*({"after": at} for at in middle)),
        "案号 case number": search(*({"case_number": row["case_number"]} for row in rows)),
        "原案件 original case": search(*({"original_case": row["original_case_group"]} for row in rows)),
        "法院 court": search(*({"court": court} for court in courts)),
        "承办单位 office": search(*({"office": one} for one in some)),
        "状态 state, common": search(*({"state": "assisted"} for _ in rows)),
        "状态 state, rare (held)": search(*({"state": "held"} for _ in rows)),
        "在办 open": search(*({"state": "open"} for _ in rows)),
        "在办 open, one prefecture": search(*({"state": "open"} for _ in rows)),
        "超期 overdue": search(*({"state": "overdue"} for _ in rows)),
        "超期 overdue, one prefecture": search(*({"state": "overdue"} for _ in rows)),
        "超期·须处理方 overdue, who must act": search(*({"state": "overdue", "must_act": one} for one in some)),
        "法院+状态 court + held": search(*({"court": court, "state": "held"} for court in courts)),
        "单位+状态 office + under review": search(*({"office": one, "state": "under_review"} for one in some)),
        "受理日 accepted on a day": search(*({"from": day, "to": day} for day in days)),
        "群体 group": search(*({"group": "MINOR", "after": at} for at in middle)),
        "群体 group nobody has": search(*({"group": "WOMAN", "state": "held", "office": one} for one in some)),
        "类型 kind of case": search(*({"case_type": "petition", "after": at} for at in middle)),
        "法院+群体+类型 court + group + kind": search(
            *({"court": court, "group": "DISABLED", "case_type": "other"} for court in courts)
        ),
        "一案 one referral": [f"{LIST}/r-1"] * times,
        "一案 one of the many": [f"{LIST}/{row['referral_id']}" for row in rows],
        **_pages_of_findings(world, courts, some, chance),
    }


def _pages_of_findings(world: World, courts: list[str], offices: list[str], chance: Random) -> dict[str, list[str]]:
    """The same of the list of findings: from its beginning, or from somewhere in the middle."""
    with world.store.reading() as connection:
        highest = connection.scalar(sa.select(sa.func.max(t.findings.c.row))) or 1
    middle = [{"after": f"0~0~{chance.randrange(highest)}"} for _ in courts]

    def search(*queries: dict[str, Any]) -> list[str]:
        return [f"{FINDINGS}?{urlencode(query)}" for query in queries]

    found = {
        "疑点 findings, open": search(*middle),
        "疑点 findings, open, one prefecture": search(*middle),
        "疑点·法院 of a court": search(*({"court": court} for court in courts)),
        "疑点·单位 of an office": search(*({"office": one} for one in offices)),
        "疑点·金额 most money": search(*({"sort": "stake"} for _ in courts)),
    }
    for group in SpecificGroup:
        asked = {"group": group.value}
        found |= {
            f"疑点·群体 of {group.value}": search(*(asked | at for at in middle)),
            f"疑点·群体 of {group.value}, one prefecture": search(*(asked | at for at in middle)),
            f"疑点·群体 of {group.value}, closed": search(*(asked | at | {"state": "closed"} for at in middle)),
            f"疑点·群体 of {group.value}, all, due": search(*(asked | {"state": "all", "sort": "due"} for _ in courts)),
            f"疑点·群体·法院 of {group.value} and a court": search(*(asked | {"court": court} for court in courts)),
        }
    return found


def _table(little: dict[str, list[Taken]], much: dict[str, list[Taken]]) -> list[Measured]:
    return [_line(what, taken, _at([one.clock for one in little[what]], 0.5)) for what, taken in much.items()]


def _line(what: str, taken: list[Taken], empty: float) -> Measured:
    clock = [one.clock for one in taken]
    median, high, busy = _at(clock, 0.5), _at(clock, 0.95), _at([one.busy for one in taken], 0.5)
    return Measured(
        what=what,
        value=high,
        unit="ms p95",
        ratio=median / max(0.01, empty),
        against="empty (p50)",
        note=f"p50 {median:.1f} ms, processor {busy:.1f} ms" + ("" if high < AIM_MS else f"  over {AIM_MS:.0f} ms"),
    )


def _at(taken: list[float], share: float) -> float:
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    main()
