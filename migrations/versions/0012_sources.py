"""Who reported a measurement, and whether its kernels were timed, for lists to read; an index of hidden rows"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LISTED = (
    "target_id", "id", "median_ms", "noisy", "failure_stage", "statistic", "feeds_key", "relative_iqr",
    "sentinel_median_ms", "created_unix_s", "graph_hash", "architecture_id", "hidden_unix_s",
)  # fmt: skip


def upgrade() -> None:
    op.add_column("measurement", sa.Column("agent_id", sa.String(), nullable=True))
    op.add_column("measurement", sa.Column("with_kernels", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_measurement_listed", table_name="measurement")
    op.execute(
        "UPDATE measurement SET"
        " agent_id = (SELECT agent_id FROM attempt WHERE attempt.lease_token = measurement.lease_token),"
        " with_kernels = EXISTS (SELECT 1 FROM kernel_measurement WHERE measurement_id = measurement.id)"
        " WHERE statistic = 'samples'"
    )
    op.create_index("ix_measurement_listed", "measurement", [*LISTED, "agent_id", "with_kernels"], unique=False)
    is_hidden = sa.text("hidden_unix_s IS NOT NULL")
    op.create_index(
        "ix_measurement_hidden",
        "measurement",
        ["target_id", "id"],
        unique=False,
        sqlite_where=is_hidden,
        postgresql_where=is_hidden,
    )


def downgrade() -> None:
    op.drop_index("ix_measurement_hidden", table_name="measurement")
    op.drop_index("ix_measurement_listed", table_name="measurement")
    op.drop_column("measurement", "with_kernels")
    op.drop_column("measurement", "agent_id")
    op.create_index("ix_measurement_listed", "measurement", list(LISTED), unique=False)
