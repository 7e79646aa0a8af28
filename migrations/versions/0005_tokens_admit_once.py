"""What an enrolment token admitted, and when an agent's key was first used"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.table(
    "api_key",
    sa.column("scope", sa.String()),
    sa.column("created_unix_s", sa.Double()),
    sa.column("first_used_unix_s", sa.Double()),
)


def upgrade() -> None:
    op.add_column("api_key", sa.Column("first_used_unix_s", sa.Double(), nullable=True))
    op.execute(sa.update(KEY).where(KEY.c.scope == "agent").values(first_used_unix_s=KEY.c.created_unix_s))
    with op.batch_alter_table("enrolment_token", schema=None) as batch_op:
        for column, table in (("device_id", "device"), ("api_key_id", "api_key")):
            batch_op.add_column(sa.Column(column, sa.String(), nullable=True))
            name = batch_op.f(f"fk_enrolment_token_{column}_{table}")
            batch_op.create_foreign_key(name, table, [column], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("enrolment_token", schema=None) as batch_op:
        for column, table in (("device_id", "device"), ("api_key_id", "api_key")):
            batch_op.drop_constraint(batch_op.f(f"fk_enrolment_token_{column}_{table}"), type_="foreignkey")
            batch_op.drop_column(column)
    op.drop_column("api_key", "first_used_unix_s")  # a batch would make the table anew, which agents refer to
