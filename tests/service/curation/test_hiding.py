"""Hidden measurements vanish from whatever learns, answers, lists or exports, and come back as they were."""

from collections.abc import Sequence

import pytest
from sqlalchemy import select

from latcast.errors import NotFoundError
from latcast.schema import InputError
from service.curation.hiding import RowChoice, hide, show
from service.db import tables
from service.db.changes import Changes
from service.db.visibility import ALL_ROWS
from service.forecasting.state import state_of
from service.learning import datasets
from service.measurements.lookup import GRAPHS, measured_latencies, measured_networks
from service.measurements.representative import representative_ids
from tests.service.helpers import TARGET, World, measurement


def ids_of(world: World) -> list[int]:
    return [row["id"] for row in world.client.measurements(TARGET.id, sort="id")]


def agent_ids(world: World) -> list[str]:
    with world.database.read() as session:
        return list(session.scalars(select(tables.Agent.id)))


def seen(world: World, row_id: int, graph: str) -> dict[str, object]:
    """Where a measurement of a graph shows."""
    with world.database.read() as session:
        return {
            "training": row_id in representative_ids(session),
            "answer": graph in measured_latencies(session, TARGET, GRAPHS, [graph]),
            "support": row_id in {one.id for one in measured_networks(session, TARGET, GRAPHS)},
            "frozen": row_id in datasets.visible_among(session, [row_id]),
            "list": row_id in ids_of(world),
            "rows": row_id in {row["id"] for row in world.client.call("GET", f"/targets/{TARGET.id}/rows")["items"]},
            "csv": f"\r\n{row_id}," in world.http.get(f"/v1/targets/{TARGET.id}/dataset.csv").text,
            "bins": world.client.call("GET", f"/targets/{TARGET.id}/bins")["total"],
            "count": world.client.call("GET", f"/targets/{TARGET.id}")["measurements"],
            "overview": world.client.call("GET", "/overview")["measurements"],
            "state": state_of(session, TARGET.id),
        }


def test_a_hidden_row_is_nowhere_and_comes_back_everywhere(measured: World) -> None:
    graph, (first, *_rest) = measured.graph(1), ids_of(measured)
    before = seen(measured, first, graph)
    assert all(before.values())
    done = measured.client.hide_measurements(ids=[first])
    assert (done["rows"], done["targets"], done["agents"]) == (1, [TARGET.id], [])
    hidden = seen(measured, first, graph)
    lists = ("training", "answer", "support", "frozen", "list", "rows", "csv")
    assert not any(hidden[name] for name in lists)
    assert [hidden[name] for name in ("bins", "count", "overview")] == [
        before[name] - 1 for name in ("bins", "count", "overview")
    ]
    assert hidden["state"] != before["state"]
    (row,) = measured.client.measurements(TARGET.id, hidden=True)
    assert (row["id"], row["hidden_unix_s"] is not None) == (first, True)
    assert measured.client.measurement(first).graph == graph
    assert measured.client.hide_measurements(ids=[first])["rows"] == 0
    assert measured.client.show_measurements(ids=[first])["rows"] == 1
    after = seen(measured, first, graph)
    assert {**after, "state": ""} == {**before, "state": ""}


def test_a_row_that_represents_gives_way_to_an_earlier_one(measured: World) -> None:
    graph = measured.graph(3)
    with measured.database.read() as session:
        (row,) = (one for one in measured_networks(session, TARGET, GRAPHS) if one.name == graph)
    measured.client.hide_measurements(ids=[row.id])
    with measured.database.read() as session:
        assert measured_latencies(session, TARGET, GRAPHS, [graph])[graph].median_ms == pytest.approx(31.5)


@pytest.mark.slow
def test_other_targets_are_still_up_to_date(measured: World) -> None:
    changes = Changes(measured.database)
    changes.look()
    before = changes.of_target(TARGET.id), changes.of_target("another")
    with measured.database.write.begin() as session:
        hide(session, RowChoice(target=TARGET.id))
    changes.look()
    assert changes.of_target(TARGET.id) > before[0]
    assert changes.of_target("another") == before[1]
    changes.close()


def test_an_agent_in_quarantine_reports_what_nobody_sees(world: World) -> None:
    agent = world.agent()
    first = world.measure(agent, 1)
    done = world.client.hide_measurements(agent="bench")
    assert (done["rows"], done["agents"]) == (1, agent_ids(world))
    graph = world.graph(2)
    world.client.profile(TARGET.id, graphs=[graph])
    job = agent.lease(wait_s=0)
    assert job is not None
    receipt = agent.result(job["id"], job["lease_token"], measurement(graph))
    assert agent.result(job["id"], job["lease_token"], measurement(graph)) == receipt
    assert ids_of(world) == []
    shown = world.client.show_measurements(agent=agent_ids(world)[0])
    assert (shown["rows"], ids_of(world)) == (2, [first, receipt["measurement_id"]])
    third = world.measure(agent, 3)
    assert third in ids_of(world)


def test_an_afternoon_of_an_agent_is_hidden_without_quarantine(world: World) -> None:
    agent = world.agent()
    for width in (1, 2, 3):
        row = world.measure(agent, width)
        with world.database.write.begin() as session:
            session.get_one(tables.Measurement, row).created_unix_s = 1000.0 * width
    done = world.client.hide_measurements(agent="bench", since_unix_s=1500.0, until_unix_s=2500.0)
    assert (done["rows"], done["agents"]) == (1, [])
    world.measure(agent, 4)
    assert len(ids_of(world)) == 3


def adapt(world: World, support: Sequence[int], *, active: bool) -> str:
    with world.database.write.begin() as session:
        digest = f"d{support}"
        session.add(tables.Artifact(digest=digest, content=b"x"))
        session.flush()
        predictor = tables.Predictor(kind="flops", artifact_digest=digest, metrics={}, active=False)
        session.add(predictor)
        session.flush()
        row = tables.Adaptation(
            predictor_id=predictor.id, target_id=TARGET.id, support=list(support), artifact_digest=digest, metrics={},
            active=active,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id


def active_adaptations(world: World) -> list[str]:
    with world.database.read() as session:
        return list(session.scalars(select(tables.Adaptation.id).where(tables.Adaptation.active)))


def test_what_an_adaptation_learned_from_takes_it_along_and_back(measured: World) -> None:
    ids = ids_of(measured)
    older, newer = adapt(measured, ids[:2], active=False), adapt(measured, ids[:3], active=True)
    done = measured.client.hide_measurements(ids=[ids[2]])
    assert (done["adaptations_ended"], done["adaptations_back"]) == ([newer], [older])
    done = measured.client.hide_measurements(ids=[ids[0]])
    assert (done["adaptations_ended"], active_adaptations(measured)) == ([older], [])
    done = measured.client.show_measurements(target=TARGET.id)
    assert (done["adaptations_back"], active_adaptations(measured)) == ([newer], [newer])


def test_what_is_not_said_or_not_there_is_refused(measured: World) -> None:
    with pytest.raises(InputError, match="Say which measurements"):
        measured.client.hide_measurements(since_unix_s=1.0)
    with pytest.raises(NotFoundError, match="There is no agent 'nobody'"):
        measured.client.hide_measurements(agent="nobody")
    with pytest.raises(NotFoundError, match="There is no target 'none': `latcast targets`"):
        measured.client.hide_measurements(target="none")
    with pytest.raises(NotFoundError, match="There is no graph 'g1-none'"):
        measured.client.show_measurements(graph="g1-none")
    with measured.database.write.begin() as session:
        assert show(session, RowChoice(target=TARGET.id, since_unix_s=9e12)).rows == 0
        assert session.get(tables.Measurement, 1, execution_options=ALL_ROWS) is not None
