"""列型 What all tables share: the naming of keys, the types of columns."""

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Row = BigInteger().with_variant(Integer, "sqlite")
Moment = BigInteger
Id = String(64)
PartyRef = String(100)
Digest = String(64)


def row() -> Column[int]:
    """A number for each row, in order of arrival."""
    return Column("row", Row, primary_key=True, autoincrement=True)
