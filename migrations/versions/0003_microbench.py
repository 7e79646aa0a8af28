"""Microbenchmarks of targets"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "microbench",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("target_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("noisy", sa.Boolean(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name=op.f("fk_microbench_target_id_target")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_microbench")),
        sa.UniqueConstraint("digest", name=op.f("uq_microbench_digest")),
    )
    with op.batch_alter_table("microbench", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_microbench_target_id"), ["target_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("microbench", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_microbench_target_id"))
    op.drop_table("microbench")
