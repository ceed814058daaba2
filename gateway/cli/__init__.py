"""命令行 The `xianjie` command. Exit 0 done, 1 findings or refusals, 2 usage, 3 unavailable (WIRE §6)."""

import sys

from gateway.cli.console import exit_code_of, explain
from gateway.cli.root import root
from gateway.errors import XianjieError


def main() -> None:
    """The entry point: every error of ours becomes its code, its title and what to do, in Chinese and English."""
    try:
        root(standalone_mode=True)
    except XianjieError as error:
        explain(error)
        sys.exit(exit_code_of(error))
