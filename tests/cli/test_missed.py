"""遗漏清单与工作日历 What the commands show and load."""

import csv
import io
from datetime import timedelta
from pathlib import Path

from tests.cli.installed import TODAY, Installed


def a_notice(folder: Path, year: int, *more: str) -> Path:
    """A whole file for a year."""
    lines = ["date,kind,festival,notice_year,source", f"{year}-01-01,holiday,元旦,{year},测试"]
    lines += [f"{year}-10-01,holiday,国庆节,{year},测试", *more, ""]
    path = folder / f"notice-{year}-{len(more)}.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_notice_is_loaded_listed_and_replaced_only_on_purpose(installed: Installed, tmp_path: Path) -> None:
    year = TODAY.year + 30
    loaded = installed.run("calendar", "load", a_notice(tmp_path, year), "--who", "管理员")
    assert (loaded.exit_code, f"loaded {year}" in loaded.stderr) == (0, True)
    (mine,) = [row for row in installed.json("calendar", "list") if row["year"] == year]
    assert (mine["from"], mine["holidays"], mine["who"]) == ("loaded", 2, "管理员")
    other = a_notice(tmp_path, year, f"{year}-10-02,holiday,国庆节,{year},测试")
    assert installed.run("calendar", "load", other, "--who", "管理员").exit_code == 2
    assert installed.run("calendar", "load", other, "--who", "管理员", "--replace").exit_code == 2
    done = installed.run("calendar", "load", other, "--who", "管理员", "--replace", "--why", "更正通知")
    assert (done.exit_code, f"replaced {year}" in done.stderr) == (0, True)


def test_the_check_says_which_year_is_missing(installed: Installed) -> None:
    far = str(timedelta(days=365 * 40).total_seconds())
    checked = installed.run("calendar", "check", env={"XIANJIE_CLOCK_OFFSET_SECONDS": far})
    assert (checked.exit_code, str(TODAY.year + 40) in checked.stderr) == (1, True)


def test_nobody_is_missed_in_an_empty_house(installed: Installed) -> None:
    shown = installed.run("missed")
    assert (shown.exit_code, "nobody is missed" in shown.stdout) == (0, True)
    assert installed.json("missed") == []
    assert installed.json("missed", "--soon") == []
    rows = list(csv.reader(io.StringIO(installed.run("missed", "--csv").stdout)))
    assert rows[0][:3] == ["code", "zh", "referral_id"]
