"""One lease for the jobs of agents and for the service's own"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

JOB = sa.table(
    "job",
    sa.column("id", sa.String()),
    sa.column("kind", sa.String()),
    sa.column("state", sa.String()),
    sa.column("payload", sa.JSON()),
    sa.column("deadline_unix_s", sa.Double()),
)
ATTEMPT = sa.table("attempt", sa.column("process", sa.String()))


def upgrade() -> None:
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.alter_column("agent_id", existing_type=sa.String(), nullable=True)
        batch_op.add_column(sa.Column("process", sa.String(), nullable=True))
        batch_op.create_check_constraint(batch_op.f("ck_attempt_worker"), "(agent_id IS NULL) <> (process IS NULL)")
    connection = op.get_bind()
    adaptations = connection.execute(sa.select(JOB.c.id, JOB.c.payload).where(JOB.c.kind == "adapt")).all()
    for job_id, payload in adaptations:
        connection.execute(sa.update(JOB).where(JOB.c.id == job_id).values(payload=without_claim(payload)))


def without_claim(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload with every field, and without the claim of a step under way, whose outcome nobody accepts any more.

    The jobs are queued, so that the next worker begins that step anew, under a lease.
    """
    pool = payload.get("pool") or {}
    space = pool.get("space") or []
    return {
        "samples": payload["samples"],
        "sampler": payload["sampler"],
        "pool": {"space": [space] if isinstance(space, str) else space, "graphs": pool.get("graphs") or []},
        "settings": payload.get("settings") or {},
        "seed": payload.get("seed", 0),
    }


def downgrade() -> None:
    leased = sa.and_(JOB.c.kind == "adapt", JOB.c.state == "leased")
    op.execute(sa.update(JOB).where(leased).values(state="queued", deadline_unix_s=None))
    op.execute(sa.delete(ATTEMPT).where(ATTEMPT.c.process.is_not(None)))
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_attempt_worker"), type_="check")
        batch_op.drop_column("process")
        batch_op.alter_column("agent_id", existing_type=sa.String(), nullable=False)
