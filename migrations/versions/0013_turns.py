"""An index of jobs in the order in which they are leased"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.drop_index("ix_job_queue", table_name="job")
    op.create_index(
        "ix_job_queue", "job", ["state", "kind", "target_id", sa.text("priority DESC"), "turn", "id"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_job_queue", table_name="job")
    op.create_index("ix_job_queue", "job", ["state", "kind", "target_id", "id"], unique=False)
