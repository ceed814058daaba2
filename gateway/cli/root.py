"""命令总目 The tree of commands; each group in a module of its own."""

import click

import gateway
from gateway.cli import agency, court, demo, desk, doctor, install, keys, registry, reporting, run
from gateway.cli.console import Installation


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(gateway.__version__, prog_name="xianjie")
@click.option("--config", "named", envvar="XIANJIE_CONFIG", help="配置文件 configuration file (default xianjie.toml)")
@click.pass_context
def root(context: click.Context, named: str | None) -> None:
    """衔接 Xianjie: 国家司法救助与社会救助衔接网关 the gateway between judicial and social assistance."""
    context.obj = Installation(named)


for module in (install, doctor, registry, keys, run, court, agency, desk, reporting, demo):
    for command in module.COMMANDS:
        root.add_command(command)
