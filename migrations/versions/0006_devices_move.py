"""What devices and targets were called before their fingerprint held the hardware"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("device", sa.Column("former_fingerprint", sa.String(), nullable=True))
    op.create_index(op.f("ix_device_former_fingerprint"), "device", ["former_fingerprint"], unique=False)
    op.add_column("target", sa.Column("former_id", sa.String(), nullable=True))
    op.create_index(op.f("ix_target_former_id"), "target", ["former_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_target_former_id"), table_name="target")
    op.drop_column("target", "former_id")
    op.drop_index(op.f("ix_device_former_fingerprint"), table_name="device")
    op.drop_column("device", "former_fingerprint")
