"""第五版库表 Inquiries, clues, and what is told to courts."""

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
