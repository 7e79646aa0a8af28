"""Latencies of architectures are found by target and architecture"""

from collections.abc import Sequence

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("measurement", schema=None) as batch_op:
        batch_op.create_index("ix_measurement_architecture", ["target_id", "architecture_id"], unique=False)
        batch_op.drop_index(batch_op.f("ix_measurement_architecture_id"))


def downgrade() -> None:
    with op.batch_alter_table("measurement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_measurement_architecture_id"), ["architecture_id"], unique=False)
        batch_op.drop_index("ix_measurement_architecture")
