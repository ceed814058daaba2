"""第七版库表 Old ledgers of aid, and what the rules of same help read."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
