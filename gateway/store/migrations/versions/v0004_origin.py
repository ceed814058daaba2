"""第四版库表 Which run finds a finding: a run closes only what it would have found itself."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds one column; what belonged to no referral was found in the exchange."""
    op.add_column("findings", sa.Column("origin", sa.String(length=20), nullable=False, server_default="dossier"))
    op.execute("UPDATE findings SET origin = 'exchange' WHERE referral_id IS NULL")
