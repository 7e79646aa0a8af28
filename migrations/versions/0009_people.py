"""Owners, limits and last uses of keys, whose jobs and adaptations are whose, turns in the queue, and who did what"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ADDED: Mapping[str, tuple[sa.Column[Any], ...]] = {
    "api_key": (
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("may_measure", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("expires_unix_s", sa.Double(), nullable=True),
        sa.Column("last_used_unix_s", sa.Double(), nullable=True),
        sa.Column("max_open_jobs", sa.Integer(), nullable=True),
        sa.Column("max_jobs_per_day", sa.Integer(), nullable=True),
    ),
    "agent": (sa.Column("quarantined_unix_s", sa.Double(), nullable=True),),
    "measurement": (sa.Column("hidden_unix_s", sa.Double(), nullable=True),),
    "adaptation": (sa.Column("api_key_id", sa.String(), nullable=True),),
    "job": (
        sa.Column("api_key_id", sa.String(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("turn", sa.BigInteger(), nullable=False, server_default="0"),
    ),
}
"""By table; a batch would make tables anew which others refer to. Keys are never deleted: no column refers to them."""


def upgrade() -> None:
    for table, columns in ADDED.items():
        for column in columns:
            op.add_column(table, column._copy())
    op.create_index("ix_job_submitter", "job", ["api_key_id", "state", "created_unix_s"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at_unix_s", sa.Double(), nullable=False),
        sa.Column("api_key_id", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_api_key_id"), "audit", ["api_key_id"], unique=False)
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)


def downgrade() -> None:
    op.drop_table("audit")
    op.drop_index("ix_job_submitter", table_name="job")
    for table, columns in ADDED.items():
        for column in columns:
            op.drop_column(table, column.name)
