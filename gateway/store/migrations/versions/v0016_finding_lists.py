"""第十六版库表 Whose matter a finding is: also the person's groups and the office that has the need; a smaller sum."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds two columns, fills them from the referrals and needs on file, and gives each its index."""
    op.add_column("findings", sa.Column("of_groups", sa.String(length=60), nullable=False, server_default=""))
    op.add_column("findings", sa.Column("of_office", sa.String(length=100), nullable=True))
    for statement in (
        "UPDATE findings SET of_groups = COALESCE((SELECT r.groups FROM referrals r "
        "WHERE r.referral_id = findings.referral_id), '') WHERE referral_id IS NOT NULL",
        "UPDATE findings SET of_office = (SELECT n.office_id FROM needs n WHERE n.need_id = findings.need_id) "
        "WHERE need_id IS NOT NULL",
    ):
        op.execute(statement)
    op.create_index("ix_findings_group", "findings", ["of_groups", "state", "row"], unique=False)
    op.create_index("ix_referrals_needs", "referrals", ["needs_accepted"], unique=False)
    op.create_index("ix_findings_office", "findings", ["of_office", "state", "row"], unique=False)
