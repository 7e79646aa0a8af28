"""Forecasts beside the measurements that came after them"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "score",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("target_id", sa.String(), nullable=False),
        sa.Column("measurement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("predictor", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("space", sa.String(), nullable=False),
        sa.Column("adapted", sa.Boolean(), nullable=False),
        sa.Column("forecast_ms", sa.Double(), nullable=False),
        sa.Column("half_width", sa.Double(), nullable=True),
        sa.Column("interval_scale", sa.Double(), nullable=False),
        sa.Column("measured_ms", sa.Double(), nullable=False),
        sa.Column("sentinel_ms", sa.Double(), nullable=True),
        sa.Column("at_unix_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["target_id"], ["target.id"], name=op.f("fk_score_target_id_target"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["measurement_id"], ["measurement.id"], name=op.f("fk_score_measurement_id_measurement"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score")),
        sa.UniqueConstraint("measurement_id", name=op.f("uq_score_measurement_id")),
    )
    op.create_index("ix_score_target", "score", ["target_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_score_target", table_name="score")
    op.drop_table("score")
