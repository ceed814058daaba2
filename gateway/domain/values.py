"""值 Small values every noun uses: money in fen 分, a masked identity number, the refusal of an illegal value.

`InvalidValue` is raised by parsers and constructors of the domain; its code is a row of `rules/field_codes.csv`, and
neither code nor message ever holds the value itself. Whoever knows the JSON pointer turns it into a `FieldProblem`.
"""

from typing import NewType

Fen = NewType("Fen", int)
"""分: the only unit of money inside Xianjie, 100 to the yuan."""

ID_HEAD = 4
ID_TAIL = 4


class InvalidValue(ValueError):
    """A value the domain cannot hold. code: stable, from `rules/field_codes.csv`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def yuan(fen: int) -> str:
    """Yuan with thousands separators and two decimals: 123456 → `1,234.56`; exact for any size."""
    sign = "-" if fen < 0 else ""
    whole, rest = divmod(abs(fen), 100)
    return f"{sign}{whole:,}.{rest:02d}"


def mask_id(number: str) -> str:
    """Identity number for a page: first and last four shown (`5201**********1234`), all starred up to eight long."""
    hidden = len(number) - ID_HEAD - ID_TAIL
    if hidden <= 0:
        return "*" * len(number)
    return f"{number[:ID_HEAD]}{'*' * hidden}{number[-ID_TAIL:]}"
