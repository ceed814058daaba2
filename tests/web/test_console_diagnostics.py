"""诊断页 What stands how and what to do; a report that gives nothing away."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from gateway.domain.access import Role
from gateway.flows.context import Context, Installed
from gateway.flows.diagnose import diagnose
from gateway.flows.health import Health
from gateway.store import backup_mark, leases, log
from gateway.store import tables as t
from gateway.store.backup_mark import BackupMark
from gateway.web.site import create_site
from tests.gateway_world import CIVIL_AFFAIRS, GATEWAY, World
from tests.log_world import LogWorld
from tests.web.people import PASSWORD, Somebody, somebody

SECRET = "a-secret-in-an-address"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "keys-and-state"


@pytest.fixture
def context(world: World, state: Path) -> Context:
    return replace(LogWorld(world).context, installed=Installed(state=state))


@pytest.fixture
def site(world: World, context: Context) -> Iterator[Flask]:
    yield create_site(context, lambda: world.now, public_url=None)


@pytest.fixture
def auditor(world: World, site: Flask) -> Somebody:
    return somebody(world, site, Role.AUDITOR)


def health_of(context: Context, code: str, now: datetime) -> Health:
    (found,) = [one for one in diagnose(context, now=now).checks if one.code == code]
    return found.health


def worker_ran(world: World, *, due_in: timedelta) -> None:
    world.store.write(lambda c: leases.plan(c, "tokens", at=world.now + due_in))


def a_report(person: Somebody) -> dict[str, Any]:
    answer = person.post("/console/diagnostics/report")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="xianjie-diagnostics-')
    found: dict[str, Any] = json.loads(answer.text)
    return found


def test_the_page_tells_each_thing_and_what_to_do(auditor: Somebody) -> None:
    page = auditor.get("/console/diagnostics")
    assert page.status_code == 200
    for text in (
        "时钟",
        "SQLite",
        "数据库大小",
        "剩余",
        "备份",
        "后台进程",
        "xianjie work",
        "工作日历",
        "登录会话",
        "Python",
    ):
        assert text in page.text


def test_the_page_speaks_english(auditor: Somebody) -> None:
    auditor.client.set_cookie("xianjie_language", "en")
    text = auditor.get("/console/diagnostics").text
    assert "What to do" in text
    assert "none ever ran" in text
    assert "怎么办" not in text


def test_a_worker_that_is_gone_is_bad_and_one_at_work_good(world: World, context: Context) -> None:
    assert health_of(context, "workers", world.now) is Health.ATTENTION
    worker_ran(world, due_in=timedelta(hours=1))
    assert health_of(context, "workers", world.now) is Health.GOOD
    assert health_of(context, "workers", world.now + timedelta(hours=2)) is Health.BAD


def test_backups_grow_old(world: World, context: Context, state: Path) -> None:
    assert health_of(context, "backup", world.now) is Health.ATTENTION
    backup_mark.mark(state, BackupMark(at=world.now, leaves=3))
    for days, health in ((1, Health.GOOD), (3, Health.ATTENTION), (8, Health.BAD)):
        assert health_of(context, "backup", world.now + timedelta(days=days)) is health
    (state / "backup").write_text("no mark")
    assert health_of(context, "backup", world.now) is Health.ATTENTION


def test_a_clock_behind_what_was_written_is_bad(world: World, context: Context) -> None:
    world.refer()
    assert health_of(context, "clock", world.now) is Health.GOOD
    assert health_of(context, "clock", world.now - timedelta(minutes=1)) is Health.BAD


def test_a_log_nobody_signs_needs_attention(world: World, context: Context) -> None:
    assert health_of(context, "log", world.now) is Health.ATTENTION
    LogWorld(world).sign()
    assert health_of(context, "log", world.now) is Health.GOOD


def test_stuck_messages_and_resting_lanes_need_attention(world: World, context: Context) -> None:
    world.refer()
    world.dispatch()
    assert health_of(context, "stuck", world.now) is Health.GOOD
    assert health_of(context, "oldest", world.now + timedelta(hours=2)) is Health.ATTENTION
    world.change(t.outbox.update().values(state="parked", due_at=None))
    world.change_office(CIVIL_AFFAIRS, paused=True)
    assert health_of(context, "stuck", world.now) is Health.ATTENTION
    assert health_of(context, "lanes", world.now) is Health.ATTENTION


def test_a_year_without_its_holiday_notice_is_bad(world: World, context: Context) -> None:
    assert health_of(context, "calendar", world.now) is Health.GOOD
    assert health_of(context, "calendar", datetime(2199, 1, 1, tzinfo=UTC)) is Health.BAD


def test_a_database_that_is_not_ours_is_told(world: World, context: Context) -> None:
    assert health_of(context, "database", world.now) is Health.GOOD
    world.change(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    assert health_of(context, "database", world.now) is Health.BAD


def test_the_report_gives_nothing_away(world: World, auditor: Somebody, context: Context, state: Path) -> None:
    world.refer()
    world.dispatch()
    world.change_office(CIVIL_AFFAIRS, url=f"https://{SECRET}.invalid/{SECRET}")
    backup_mark.mark(state, BackupMark(at=world.now, leaves=3))
    text = json.dumps(a_report(auditor), ensure_ascii=False)
    page = auditor.get("/console/diagnostics").text
    body = page.split("<main")[1]
    kept_secret = (
        *(SECRET, PASSWORD, "测试甲", "529999", "13900000000", str(state), "keys-and-state", world.url),
        *(str(Path(world.url.removeprefix("sqlite:///")).parent), "xianjie.sqlite", "/tmp", "://"),
        context.matching_secret.decode(),
        "a data key for tests",
        context.key.to_pem().decode().splitlines()[1],
        auditor.token,
    )
    assert [one for one in kept_secret if one in text] == []
    assert [one for one in kept_secret[:-1] if one in body] == []
    assert GATEWAY in text


def test_a_report_names_no_machine_that_holds_a_lease(world: World, auditor: Somebody) -> None:
    world.store.write(
        lambda c: leases.take(c, "sequencer", owner="court-server-7:123:ab", now=world.now, length=timedelta(hours=1))
    )
    assert "court-server-7" in auditor.get("/console/diagnostics").text
    found = a_report(auditor)
    assert "court-server-7" not in json.dumps(found)
    assert found["leases"][0]["held"] is True


def test_taking_the_report_is_on_file(world: World, auditor: Somebody) -> None:
    a_report(auditor)
    assert [row["who"] for row in world.rows(t.decisions) if row["what"] == "diagnostics_exported"] == [
        "account:auditor"
    ]


@pytest.mark.parametrize("role", [Role.RECONCILER, Role.KEY_OFFICER, Role.COURT_CLERK])
def test_other_roles_see_no_diagnostics(world: World, site: Flask, role: Role) -> None:
    person = somebody(world, site, role)
    assert person.get("/console/diagnostics").status_code == 403
    assert person.post("/console/diagnostics/report").status_code == 403


def test_an_administrator_sees_them(world: World, site: Flask) -> None:
    assert somebody(world, site, Role.ADMINISTRATOR).get("/console/diagnostics").status_code == 200


def test_in_recovery_one_can_still_look_verify_and_take_the_report(world: World, auditor: Somebody) -> None:
    world.store.write(lambda c: log.enter_recovery(c, now=world.now))
    assert "xianjie recovery status" in auditor.get("/console/diagnostics").text
    assert a_report(auditor)["worst"] == "bad"
    assert auditor.post("/console/log/verify").status_code == 200
