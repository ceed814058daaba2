"""第十五版库表 A doubt knows its statement, so that a statement's doubts are listed and counted by one index."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column to findings, filled from their subjects, and its index in place of the subjects' own."""
    op.add_column("findings", sa.Column("of_statement", sa.String(length=200), nullable=True))
    named = "split_part(subject, '|', 1)"
    if op.get_bind().dialect.name == "sqlite":
        named = "substr(subject, 1, instr(subject || '|', '|') - 1)"
    op.execute(f"UPDATE findings SET of_statement = {named} WHERE origin = 'statement'")  # noqa: S608 - our own words
    op.drop_index("ix_findings_statement", table_name="findings")
    of_statements = sa.text("of_statement IS NOT NULL")
    op.create_index(
        "ix_findings_statement",
        "findings",
        ["of_statement", "state", "row", "code"],
        unique=False,
        sqlite_where=of_statements,
        postgresql_where=of_statements,
    )
