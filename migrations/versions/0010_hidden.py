"""What was taken out of sight: devices, targets and graphs too; names that people gave; what lists read has the mark"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LISTED = (
    "target_id", "id", "median_ms", "noisy", "failure_stage", "statistic", "feeds_key", "relative_iqr",
    "sentinel_median_ms", "created_unix_s", "graph_hash", "architecture_id",
)  # fmt: skip
ADDED: Mapping[str, tuple[sa.Column[Any], ...]] = {
    "device": (
        sa.Column("hidden_unix_s", sa.Double(), nullable=True),
        sa.Column("given_name", sa.String(), nullable=True),
    ),
    "target": (
        sa.Column("hidden_unix_s", sa.Double(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False, server_default="0"),
    ),
    "graph": (sa.Column("hidden_unix_s", sa.Double(), nullable=True),),
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for column in columns:
            op.add_column(table, column._copy())
    _list_by(*LISTED, "hidden_unix_s")


def downgrade() -> None:
    _list_by(*LISTED)
    for table, columns in ADDED.items():
        for column in columns:
            op.drop_column(table, column.name)


def _list_by(*columns: str) -> None:
    op.drop_index("ix_measurement_listed", table_name="measurement")
    op.create_index("ix_measurement_listed", "measurement", list(columns), unique=False)
