"""第十一版库表 Matches, dispositions, and what people do with findings."""

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
