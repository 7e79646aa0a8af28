"""First tables"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:

    op.create_table(
        "api_key",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.Column("revoked_unix_s", sa.Double(), nullable=True),
        sa.CheckConstraint("scope IN ('admin', 'agent', 'client')", name=op.f("ck_api_key_scope")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_key_digest")),
    )
    op.create_table(
        "artifact",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_artifact")),
    )
    op.create_table(
        "dataset",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("rows_digest", sa.String(), nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset")),
    )
    op.create_table(
        "device",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.Column("registered_unix_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_device_fingerprint")),
    )
    op.create_table(
        "graph",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("model", sa.LargeBinary(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_graph")),
    )
    op.create_table(
        "agent",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("api_key_id", sa.String(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.Column("seen_unix_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_key.id"], name=op.f("fk_agent_api_key_id_api_key")),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_agent_device_id_device")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent")),
        sa.UniqueConstraint("api_key_id", name=op.f("uq_agent_api_key_id")),
    )
    with op.batch_alter_table("agent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agent_device_id"), ["device_id"], unique=False)

    op.create_table(
        "architecture",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("space", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("graph_hash", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["graph_hash"], ["graph.hash"], name=op.f("fk_architecture_graph_hash_graph")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_architecture")),
        sa.UniqueConstraint("space", "text", name=op.f("uq_architecture_space")),
    )
    with op.batch_alter_table("architecture", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_architecture_graph_hash"), ["graph_hash"], unique=False)

    op.create_table(
        "enrolment_token",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("expires_unix_s", sa.Double(), nullable=False),
        sa.Column("used_by", sa.String(), nullable=True),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["used_by"], ["device.id"], name=op.f("fk_enrolment_token_used_by_device")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_enrolment_token")),
    )
    op.create_table(
        "predictor",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("artifact_digest", sa.String(), nullable=False),
        sa.Column("dataset_id", sa.String(), nullable=True),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_digest"], ["artifact.digest"], name=op.f("fk_predictor_artifact_digest_artifact")
        ),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_predictor_dataset_id_dataset")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_predictor")),
        sa.UniqueConstraint("artifact_digest", name=op.f("uq_predictor_artifact_digest")),
    )
    op.create_table(
        "target",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=True),
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("offered", sa.Boolean(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_target_device_id_device")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target")),
    )
    with op.batch_alter_table("target", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_target_device_id"), ["device_id"], unique=False)

    op.create_table(
        "job",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("target_id", sa.String(), nullable=True),
        sa.Column("graph_hash", sa.String(), nullable=True),
        sa.Column("parent_id", sa.String(), nullable=True),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("lease_token", sa.String(), nullable=True),
        sa.Column("deadline_unix_s", sa.Double(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.Column("updated_unix_s", sa.Double(), nullable=False),
        sa.CheckConstraint("kind IN ('profile', 'adapt', 'train')", name=op.f("ck_job_kind")),
        sa.CheckConstraint("state IN ('queued', 'leased', 'done', 'failed', 'cancelled')", name=op.f("ck_job_state")),
        sa.ForeignKeyConstraint(["graph_hash"], ["graph.hash"], name=op.f("fk_job_graph_hash_graph")),
        sa.ForeignKeyConstraint(["parent_id"], ["job.id"], name=op.f("fk_job_parent_id_job")),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name=op.f("fk_job_target_id_target")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("lease_token", name=op.f("uq_job_lease_token")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_job_parent_id"), ["parent_id"], unique=False)
        batch_op.create_index("ix_job_queue", ["state", "kind", "target_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_job_target_id"), ["target_id"], unique=False)

    op.create_table(
        "adaptation",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("predictor_id", sa.String(), nullable=False),
        sa.Column("target_id", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("support", sa.JSON(), nullable=False),
        sa.Column("artifact_digest", sa.String(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_digest"], ["artifact.digest"], name=op.f("fk_adaptation_artifact_digest_artifact")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_adaptation_job_id_job")),
        sa.ForeignKeyConstraint(["predictor_id"], ["predictor.id"], name=op.f("fk_adaptation_predictor_id_predictor")),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name=op.f("fk_adaptation_target_id_target")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adaptation")),
    )
    with op.batch_alter_table("adaptation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_adaptation_target_id"), ["target_id"], unique=False)
        batch_op.create_index(
            "uq_adaptation_active",
            ["target_id"],
            unique=True,
            sqlite_where=sa.text("active"),
            postgresql_where=sa.text("active"),
        )

    op.create_table(
        "attempt",
        sa.Column("lease_token", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("agent_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("stage", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("started_unix_s", sa.Double(), nullable=False),
        sa.Column("ended_unix_s", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("fk_attempt_agent_id_agent")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_attempt_job_id_job")),
        sa.PrimaryKeyConstraint("lease_token", name=op.f("pk_attempt")),
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempt_job_id"), ["job_id"], unique=False)

    op.create_table(
        "measurement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("target_id", sa.String(), nullable=False),
        sa.Column("graph_hash", sa.String(), nullable=True),
        sa.Column("architecture_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("lease_token", sa.String(), nullable=True),
        sa.Column("feeds_key", sa.String(), nullable=False),
        sa.Column("statistic", sa.String(), nullable=False),
        sa.Column("median_ms", sa.Double(), nullable=True),
        sa.Column("noisy", sa.Boolean(), nullable=False),
        sa.Column("failure_stage", sa.String(), nullable=True),
        sa.Column("failure_message", sa.String(), nullable=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("feeds", sa.JSON(), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("runs", sa.JSON(), nullable=False),
        sa.Column("sentinel_ms", sa.JSON(), nullable=False),
        sa.Column("protocol_version", sa.Integer(), nullable=False),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.CheckConstraint("(median_ms IS NULL) = (failure_stage IS NOT NULL)", name=op.f("ck_measurement_outcome")),
        sa.CheckConstraint("graph_hash IS NOT NULL OR architecture_id IS NOT NULL", name=op.f("ck_measurement_what")),
        sa.ForeignKeyConstraint(
            ["architecture_id"], ["architecture.id"], name=op.f("fk_measurement_architecture_id_architecture")
        ),
        sa.ForeignKeyConstraint(["graph_hash"], ["graph.hash"], name=op.f("fk_measurement_graph_hash_graph")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_measurement_job_id_job")),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name=op.f("fk_measurement_target_id_target")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurement")),
        sa.UniqueConstraint("lease_token", name=op.f("uq_measurement_lease_token")),
    )
    with op.batch_alter_table("measurement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_measurement_architecture_id"), ["architecture_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_measurement_graph_hash"), ["graph_hash"], unique=False)
        batch_op.create_index(batch_op.f("ix_measurement_job_id"), ["job_id"], unique=False)
        batch_op.create_index("ix_measurement_key", ["target_id", "graph_hash", "feeds_key"], unique=False)
        batch_op.create_index("ix_measurement_median", ["target_id", "median_ms"], unique=False)

    op.create_table(
        "counter_reading",
        sa.Column("measurement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("enabled_ns", sa.BigInteger(), nullable=True),
        sa.Column("running_ns", sa.BigInteger(), nullable=True),
        sa.Column("absent", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["measurement_id"],
            ["measurement.id"],
            name=op.f("fk_counter_reading_measurement_id_measurement"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("measurement_id", "run", "event", name=op.f("pk_counter_reading")),
    )
    op.create_table(
        "kernel_measurement",
        sa.Column("measurement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("time_ms", sa.Double(), nullable=False),
        sa.Column("node", sa.BigInteger(), nullable=True),
        sa.Column("input_shapes", sa.JSON(), nullable=False),
        sa.Column("output_shapes", sa.JSON(), nullable=False),
        sa.Column("dtype", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["measurement_id"],
            ["measurement.id"],
            name=op.f("fk_kernel_measurement_measurement_id_measurement"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("measurement_id", "run", "position", name=op.f("pk_kernel_measurement")),
    )
    with op.batch_alter_table("kernel_measurement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_kernel_measurement_operator"), ["operator"], unique=False)


def downgrade() -> None:

    with op.batch_alter_table("kernel_measurement", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_kernel_measurement_operator"))

    op.drop_table("kernel_measurement")
    op.drop_table("counter_reading")
    with op.batch_alter_table("measurement", schema=None) as batch_op:
        batch_op.drop_index("ix_measurement_median")
        batch_op.drop_index("ix_measurement_key")
        batch_op.drop_index(batch_op.f("ix_measurement_job_id"))
        batch_op.drop_index(batch_op.f("ix_measurement_graph_hash"))
        batch_op.drop_index(batch_op.f("ix_measurement_architecture_id"))

    op.drop_table("measurement")
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attempt_job_id"))

    op.drop_table("attempt")
    with op.batch_alter_table("adaptation", schema=None) as batch_op:
        batch_op.drop_index("uq_adaptation_active", sqlite_where=sa.text("active"), postgresql_where=sa.text("active"))
        batch_op.drop_index(batch_op.f("ix_adaptation_target_id"))

    op.drop_table("adaptation")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_job_target_id"))
        batch_op.drop_index("ix_job_queue")
        batch_op.drop_index(batch_op.f("ix_job_parent_id"))

    op.drop_table("job")
    with op.batch_alter_table("target", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_target_device_id"))

    op.drop_table("target")
    op.drop_table("predictor")
    op.drop_table("enrolment_token")
    with op.batch_alter_table("architecture", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_architecture_graph_hash"))

    op.drop_table("architecture")
    with op.batch_alter_table("agent", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agent_device_id"))

    op.drop_table("agent")
    op.drop_table("graph")
    op.drop_table("device")
    op.drop_table("dataset")
    op.drop_table("artifact")
    op.drop_table("api_key")
