"""第十二版库表 Disbursement plans, reports of use, follow-up visits, standards."""

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
