"""工作日历 `xianjie calendar`: the State Council's holiday notices, loaded once a year by an administrator."""

import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.console import FINDINGS, Installation, json_option, print_json, say, table, with_installation
from gateway.errors import ConfigError
from gateway.flows.holidays import Load, load_notice, missing_years
from gateway.store import notices
from gateway.store.clock import from_ms

_SAID = {
    Load.ADDED: "已载入 loaded {year}",
    Load.REPLACED: "已更换 replaced {year}",
    Load.SAME: "已有相同安排 {year} is published with the same days already; nothing changed",
}


@click.group()
def calendar() -> None:
    """工作日历 Holiday notices: which days are worked."""


@calendar.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="更换已公布的年份 in the place of a published year")
@click.option("--who", required=True, help="载入人 who loads it (kept on file)")
@click.option("--why", default="年度放假安排 yearly notice", show_default=True, help="事由 why (kept on file)")
@with_installation
def calendar_load(installation: Installation, file: Path, replace: bool, who: str, why: str) -> None:
    """载入 Loads one year's notice (CSV: date,kind,festival,notice_year,source). Every process counts by it at once."""
    if replace and why == "年度放假安排 yearly notice":
        raise ConfigError("--replace needs --why: what is wrong with the year that is published")
    try:
        body = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file.name} is not UTF-8 text") from error
    with installation.open() as (context, clock):
        loaded = load_notice(context, body, who=who, why=why, replace=replace, now=clock())
    say(_SAID[loaded.load].format(year=loaded.notice.year))


@calendar.command("list")
@json_option
@with_installation
def calendar_list(installation: Installation, as_json: bool) -> None:
    """列出 Every published year, and where its notice is from."""
    with installation.open() as (context, _):
        with context.store.reading() as connection:
            loaded = {row["notice_year"]: row for row in notices.rows(connection)}
        merged = context.calendar
    rows = [_year(year, merged.holidays, merged.makeup_days, loaded.get(year)) for year in merged.published_years]
    rows.sort(key=lambda row: row["year"])
    if as_json:
        print_json(rows)
    else:
        table(
            ["年份 year", "放假 holidays", "上班 make-up", "来源 from", "载入 loaded", "载入人 who"],
            [list(row.values())[:6] for row in rows],
        )


def _year(year: int, holidays: Any, makeup_days: Any, row: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "year": year,
        "holidays": sum(day.year == year for day in holidays),
        "makeup_days": sum(day.year == year for day in makeup_days),
        "from": "shipped" if row is None else "loaded",
        "loaded_at": "" if row is None else from_ms(row["loaded_at"]).isoformat(),
        "who": "" if row is None else row["who"],
        "sha256": "" if row is None else row["sha256"],
    }


@calendar.command("check")
@json_option
@with_installation
def calendar_check(installation: Installation, as_json: bool) -> None:
    """检查 Whether this year, and from November on the next, is published. Exit 1 when one is not."""
    with installation.open() as (context, clock):
        missing = missing_years(context.calendar, clock())
    if as_json:
        print_json({"missing": list(missing)})
    elif missing:
        for year in missing:
            say(f"{year}: 未载入放假安排 no holiday notice; run `xianjie calendar load FILE`")
    else:
        say("已公布 published")
    sys.exit(FINDINGS if missing else 0)


COMMANDS = (calendar,)
