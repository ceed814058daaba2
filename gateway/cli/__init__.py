"""命令行 The `xianjie` command. Exit 0 done, 1 findings or refusals, 2 usage, 3 unavailable (WIRE §6)."""

from gateway.cli.root import root


def main() -> None:
    """The entry point."""
    root()
