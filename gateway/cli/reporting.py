"""统计报表 `xianjie report`: prints the report and the press paragraph, and exports both as CSV, XLSX or PDF."""

from datetime import datetime
from io import BytesIO
from pathlib import Path

import click

from gateway.cli.console import Installation, json_option, print_json, say, with_installation
from gateway.cli.days import DAY
from gateway.domain.report.build import Language, Report, press_paragraph, render_text, report_table
from gateway.errors import ConfigError
from gateway.flows.report import report as make_report
from gateway.workbook.report_file import FORMS, write_report


@click.command()
@click.option("--from", "from_day", type=DAY, metavar="YYYY-MM-DD", required=True, help="审结起 concluded from")
@click.option("--to", "to_day", type=DAY, metavar="YYYY-MM-DD", required=True, help="审结止 concluded to")
@click.option("--region", default="520000", show_default=True, help="行政区划代码 printed on the report")
@click.option("--court", help="只统计一个法院 one court only")
@click.option("--public", is_flag=True, help="公开版 cells under five are left out")
@click.option("--language", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="另存为 .csv, .xlsx or .pdf")
@json_option
@with_installation
def report(
    installation: Installation,
    from_day: datetime,
    to_day: datetime,
    region: str,
    court: str | None,
    public: bool,
    language: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """统计 Counts what was concluded within a period, from the ledger alone."""
    if to_day < from_day:
        raise click.BadParameter("--to 早于 --from is before --from")
    with installation.open() as (context, clock):
        period = (from_day.date(), to_day.date())
        made = make_report(context, period, region=region, now=clock(), court=court, public=public)
    if out is not None:
        export(made, out)
        say(f"已写出 wrote {out.name}")
    if as_json:
        press = {"press": press_paragraph(made), "press_en": press_paragraph(made, Language.ENGLISH)}
        print_json({**press, "lines": report_table(made)})
    elif out is None:
        click.echo(render_text(made, language))


def export(made: Report, out: Path) -> None:
    """The table in the form the file's name asks for."""
    form = out.suffix.removeprefix(".")
    if form not in FORMS:
        raise ConfigError("--out ends in .csv, .xlsx or .pdf")
    content = BytesIO()
    write_report(made, form, content)
    out.write_bytes(content.getvalue())


COMMANDS = (report,)
