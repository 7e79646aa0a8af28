"""Progress of jobs, checkpoints of trainings, the rows of frozen data sets, and model cards"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_checkpoint_job_id_job"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "name", name=op.f("pk_checkpoint")),
    )
    op.add_column("job", sa.Column("progress", sa.JSON(), nullable=True))
    op.add_column("dataset", sa.Column("row_ids", sa.LargeBinary(), nullable=True))
    op.add_column("predictor", sa.Column("card", sa.String(), nullable=True))
    op.add_column("predictor", sa.Column("calibration_svg", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("predictor", "calibration_svg")
    op.drop_column("predictor", "card")
    op.drop_column("dataset", "row_ids")
    op.drop_column("job", "progress")
    op.drop_table("checkpoint")
