"""What lists and charts filter and sort by, in narrow columns: noise, the sentinel, and facts of graphs"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median, quantiles
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ROWS_AT_ONCE = 500
LISTED = (
    "target_id", "id", "median_ms", "noisy", "failure_stage", "statistic", "feeds_key", "relative_iqr",
    "sentinel_median_ms", "created_unix_s", "graph_hash", "architecture_id",
)  # fmt: skip


def upgrade() -> None:
    op.add_column("measurement", sa.Column("relative_iqr", sa.Double(), nullable=True))
    op.add_column("measurement", sa.Column("sentinel_median_ms", sa.Double(), nullable=True))
    op.create_table(
        "graph_facts",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("flops", sa.Double(), nullable=False),
        sa.Column("parameter_bytes", sa.Double(), nullable=False),
        sa.Column("activation_bytes", sa.Double(), nullable=False),
        sa.Column("nodes", sa.Integer(), nullable=False),
        sa.Column("operators", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["hash"], ["graph.hash"], name=op.f("fk_graph_facts_hash_graph"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_graph_facts")),
    )
    connection = op.get_bind()
    _fill_graphs(connection)
    _fill_measurements(connection)
    op.create_index("ix_measurement_listed", "measurement", list(LISTED), unique=False)


def downgrade() -> None:
    op.drop_index("ix_measurement_listed", table_name="measurement")
    op.drop_table("graph_facts")
    op.drop_column("measurement", "sentinel_median_ms")
    op.drop_column("measurement", "relative_iqr")


def _fill_graphs(connection: sa.Connection) -> None:
    graph = sa.table("graph", sa.column("hash", sa.String()), sa.column("summary", sa.JSON()))
    facts = sa.table(
        "graph_facts", *map(sa.column, ("hash", "flops", "parameter_bytes", "activation_bytes", "nodes", "operators"))
    )
    for rows in _parts(connection, graph.c.hash, (graph.c.hash, graph.c.summary)):
        connection.execute(sa.insert(facts), [_facts(row.hash, row.summary) for row in rows])


def _facts(graph_hash: str, summary: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {name: float(summary.get(name, 0)) for name in ("flops", "parameter_bytes", "activation_bytes")}
    operators = " ".join(sorted(summary.get("operators", {})))
    return {"hash": graph_hash, **numbers, "nodes": summary.get("nodes", 0), "operators": f" {operators} "}


def _fill_measurements(connection: sa.Connection) -> None:
    """Rows of public tables have neither samples nor a sentinel, and are not looked at."""
    table = sa.table(
        "measurement", sa.column("id", sa.BigInteger()), sa.column("statistic", sa.String()),
        sa.column("median_ms", sa.Double()), sa.column("runs", sa.JSON()), sa.column("sentinel_ms", sa.JSON()),
        sa.column("relative_iqr", sa.Double()), sa.column("sentinel_median_ms", sa.Double()),
    )  # fmt: skip
    change = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("row"))
        .values(relative_iqr=sa.bindparam("spread"), sentinel_median_ms=sa.bindparam("sentinel"))
    )
    mine = (table.c.statistic == "samples", table.c.median_ms.is_not(None))
    for rows in _parts(
        connection, table.c.id, (table.c.id, table.c.median_ms, table.c.runs, table.c.sentinel_ms), *mine
    ):
        connection.execute(change, [_noise(row) for row in rows])


def _noise(row: Any) -> dict[str, Any]:
    samples = [ms for run in row.runs for ms in run["samples_ms"]]
    low, _, high = quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else (0.0, 0.0, 0.0)
    spread = (high - low) / row.median_ms if row.median_ms and samples else None
    return {"row": row.id, "spread": spread, "sentinel": median(row.sentinel_ms) if row.sentinel_ms else None}


def _parts(
    connection: sa.Connection, key: Any, columns: Sequence[Any], *conditions: Any
) -> Iterator[Sequence[sa.Row[Any]]]:
    """The rows in order of their keys, some at a time."""
    last = None
    while True:
        query = sa.select(*columns).where(*conditions).order_by(key).limit(ROWS_AT_ONCE)
        rows = connection.execute(query if last is None else query.where(key > last)).all()
        if not rows:
            return
        yield rows
        last = getattr(rows[-1], key.name)
