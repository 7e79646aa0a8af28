"""Targets that were imported answer like any other, over both databases; devices' own cells adapt the same way."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from latcast import Client, item
from latcast.errors import ConflictError
from latcast.schema import Target
from predictors.base import LatencyDataset, Query
from predictors.data.importers import read_any
from predictors.kinds.flops import FlopsPredictor
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from service.app import create_app
from service.db import tables
from service.forecasting import selection
from service.learning import support_selection
from service.learning.artifacts import put_artifact
from service.measurements.table_import import store
from service.settings import Settings
from tests.predictors.tables import latencies
from tests.service.helpers import CELL, TARGET, DirectReader, World, measurement, model

SPACE = get_space("nasbench201")
RNG = np.random.default_rng(1)
CELLS = list(dict.fromkeys(SPACE.sample(RNG) for _ in range(140)))
MS = latencies(CELLS, 3)
KNOWN, HELD_OUT = slice(0, 100), slice(100, None)
ORIGIN = "ours, CC0"


class ImportedWorld(World):
    """A world with tables in it; no agent is running, and steps are taken by hand."""

    def load(self, folder: Path, rows: Sequence[str]) -> dict[str, str]:
        """Import rows of a CSV file; the targets' ids by device and space."""
        path = folder / "t.csv"
        path.write_text("\n".join(["target,space,text,ms", *rows]), encoding="utf-8")
        store(self.database, read_any(path, origin=ORIGIN))
        self.app.state.parts.changes.look()  # another process's commit is noticed a tenth of a second later
        return {f"{row['device_name']} {row['options']['space']}": row["id"] for row in self.client.targets()}

    def ask(self, target: str, texts: Sequence[str], space: str = "nasbench201") -> list[dict[str, Any]]:
        return self.client.predict(target, [item(space=space, text=text) for text in texts])


def lines(device: str, part: slice) -> list[str]:
    return [f"{device},nasbench201,{cell.text},{ms!r}" for cell, ms in zip(CELLS[part], MS[part], strict=True)]


@pytest.fixture(scope="session")
def graph_base() -> FlopsPredictor:
    """Knows graphs, and another machine."""
    graphs = [load_graph(model(width)) for width in range(1, 13)]
    data = LatencyDataset(
        queries=[Query(target=TARGET, graph=graph) for graph in graphs],
        latency_ms=np.array([0.05 + graph.flops / 1e3 for graph in graphs]),
    )
    return FlopsPredictor().fit(data)


@pytest.fixture
def world(
    database_url: str, tmp_path: Path, graph_base: FlopsPredictor, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ImportedWorld]:
    monkeypatch.setattr("predictors.kinds.stack.contest.MOST_REFITS", 2)
    monkeypatch.setattr("service.learning.catalogue.REFRESH_SECONDS", 0.0)
    settings = Settings(
        database_url=database_url, data_dir=tmp_path, tick_seconds=3600, learn_seconds=0, log_level="error",
        rate_per_second=0,
    )  # fmt: skip
    app = create_app(settings, reader=DirectReader())
    with TestClient(app) as http:
        database = app.state.parts.database
        with database.write.begin() as session:
            digest = put_artifact(session, graph_base.to_artifact())
            session.add(tables.Predictor(kind="flops", artifact_digest=digest, metrics={}))
        client = Client("http://testserver", transport=http._transport)
        yield ImportedWorld(app=app, settings=settings, database=database, http=http, client=client)


@pytest.fixture
def no_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever builds an architecture's model fails."""

    def build(*_: object) -> bytes:
        raise AssertionError("a model was built for a predictor that reads architectures")

    monkeypatch.setattr(type(SPACE), "to_onnx", build)


@pytest.mark.usefixtures("no_graphs")
def test_known_cells_are_measured_and_others_are_forecast(world: ImportedWorld, tmp_path: Path) -> None:
    target = world.load(tmp_path, lines("phone", KNOWN))["phone nasbench201"]
    answers = world.ask(target, [cell.text for cell in CELLS])
    measured, predicted = answers[KNOWN], answers[HELD_OUT]

    assert [answer["latency_ms"] for answer in measured] == MS[KNOWN]
    for answer in measured:
        said = {name: answer[name] for name in ("source", "statistic", "measurements", "origin", "predictor", "kind")}
        assert said == {
            "source": "measured", "statistic": "reported", "measurements": 1, "origin": ORIGIN, "predictor": None,
            "kind": None,
        }  # fmt: skip
        assert answer["interval_ms"] is None

    for answer in predicted:
        said = {name: answer[name] for name in ("source", "statistic", "measurements", "origin", "predictor", "kind")}
        assert said == {
            "source": "predicted", "statistic": None, "measurements": 50, "origin": ORIGIN,
            "predictor": "pretrained:universal-nasbench201", "kind": "universal",
        }  # fmt: skip
        assert answer["adapted"]
        assert answer["interval_ms"][0] < answer["latency_ms"] < answer["interval_ms"][1]
    errors = np.abs(np.array([answer["latency_ms"] for answer in predicted]) / MS[HELD_OUT] - 1)
    assert np.median(errors) < 0.2  # every edge of this device has a cost of its own


def test_new_rows_are_noticed(world: ImportedWorld, tmp_path: Path) -> None:
    target = world.load(tmp_path, lines("phone", slice(0, 3)))["phone nasbench201"]
    (first,) = world.ask(target, [CELLS[-1].text])
    world.load(tmp_path, lines("phone", slice(0, 30)))
    (second,) = world.ask(target, [CELLS[-1].text])
    assert (first["measurements"], second["measurements"]) == (3, 30)
    assert abs(second["latency_ms"] / MS[-1] - 1) < 0.3


def test_what_a_table_says_nothing_of_is_said_in_a_sentence(world: ImportedWorld, tmp_path: Path) -> None:
    text = get_space("fbnet").example
    ids = world.load(tmp_path, [*lines("phone", KNOWN), f"phone,fbnet,{text},3", f"pi,fbnet,{text},9"])
    with pytest.raises(ConflictError, match=f"no latencies of architectures of fbnet.*Ask target {ids['phone fbnet']}"):
        world.ask(ids["phone nasbench201"], [text], "fbnet")
    with pytest.raises(ConflictError, match=r"pi, imported from ours, CC0.*its table is of fbnet\.$"):
        world.ask(ids["pi fbnet"], [CELL])
    with pytest.raises(ConflictError, match="no latencies of graphs"):
        world.client.predict(ids["pi fbnet"], [item(onnx=model())])
    mixed = world.client.predict(ids["pi fbnet"], [item(space="fbnet", text=text), item(onnx=model())])
    assert mixed[0]["latency_ms"] == 9.0
    assert mixed[1]["error"]["status"] == 409


def test_rows_without_a_predictor_for_them_are_said_to_be_so(
    world: ImportedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = world.load(tmp_path, lines("phone", slice(0, 5)))["phone nasbench201"]
    monkeypatch.setattr("service.learning.catalogue.shipped_bases", tuple)
    with world.database.write.begin() as session:
        session.execute(update(tables.Predictor).values(active=False))
    with pytest.raises(ConflictError, match="No predictor that is there"):
        world.ask(target, [CELLS[-1].text])
    assert world.ask(target, [CELLS[0].text])[0]["source"] == "measured"


def test_adapting_takes_rows_of_the_table_and_no_agent(world: ImportedWorld, tmp_path: Path) -> None:
    target = world.load(tmp_path, lines("phone", KNOWN))["phone nasbench201"]
    for sampler in ("variance", "random"):
        job = world.client.adapt(target, samples=12, sampler=sampler)["id"]
        assert world.step()
        done = world.client.job(job)
        assert (done["state"], done["children"], done["result"]["support"]) == ("done", {}, 12)
        (answer,) = world.ask(target, [CELLS[-1].text])
        assert answer["predictor"] == f"adaptation:{done['result']['adaptation_id']}"
        assert (answer["kind"], answer["measurements"], answer["origin"]) == ("universal", 12, ORIGIN)
    pairs = world.client.quality(target)
    assert sum(pair["support"] for pair in pairs) == 12
    assert {(pair["graph"], pair["space"]) for pair in pairs} == {(None, "nasbench201")}
    assert [pair["measured_ms"] for pair in pairs] == MS[KNOWN]


def test_adapting_to_what_is_not_there_fails_with_a_sentence(world: ImportedWorld, tmp_path: Path) -> None:
    target = world.load(tmp_path, lines("phone", slice(0, 5)))["phone nasbench201"]
    for given, words in (
        ({"samples": 6}, "5 rows"),
        ({"samples": 2, "pool": {"space": "fbnet"}}, "latencies of nasbench201, and none of fbnet"),
    ):
        job = world.client.adapt(target, **given)["id"]
        world.step()
        assert words in world.client.job(job)["result"]["error"]
    with pytest.raises(ConflictError, match="column of a public table"):
        world.client.profile(target, architectures=[("nasbench201", CELL)])


def test_a_table_of_graphs_adapts_the_base_for_graphs(world: ImportedWorld, tmp_path: Path) -> None:
    graphs = {width: load_graph(model(width)) for width in range(1, 9)}
    for width in range(1, 8):
        (tmp_path / f"{width}.onnx").write_bytes(model(width))
    truth = {width: 5 * (0.05 + graph.flops / 1e3) for width, graph in graphs.items()}
    rows = [f"{width} {width}.onnx 1 {truth[width]} net 2" for width in range(1, 8)]
    (tmp_path / "gt.txt").write_text("\n".join(rows))
    store(world.database, read_any(tmp_path))
    (target,) = (row["id"] for row in world.client.targets())
    known, new = world.client.predict(target, [item(onnx=model(3)), item(onnx=model(8))])
    assert (known["source"], known["statistic"], known["latency_ms"]) == ("measured", "mean", truth[3])
    assert (new["kind"], new["measurements"], new["adapted"]) == ("flops", 7, True)
    assert "NNLQP" in new["origin"]
    assert new["latency_ms"] == pytest.approx(truth[8], rel=0.2)
    job = world.client.adapt(target, samples=5, sampler="random")["id"]
    world.step()
    assert world.client.job(job)["result"]["support"] == 5
    assert world.client.predict(target, [item(onnx=model(8))])[0]["measurements"] == 5


def test_a_space_without_a_predictor_of_its_own_goes_by_graphs(
    world: ImportedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Once-for-All, but with graphs that are small."""
    for name in ("bases_for", "bases_to_adapt"):
        monkeypatch.setattr(selection, name, lambda bases, _: [one for one in bases if one.predictor.kind == "flops"])
    monkeypatch.setattr(support_selection, "MOST_GRAPHS", 6)
    target = world.load(tmp_path, lines("phone", slice(0, 9)))["phone nasbench201"]
    (answer,) = world.ask(target, [CELL])
    assert (answer["kind"], answer["measurements"], answer["adapted"]) == ("flops", 6, True)


def measure_cells(world: World, count: int) -> None:
    """A device of ours measures the first cells."""
    agent = world.agent()
    world.client.profile(TARGET.id, architectures=[("nasbench201", cell.text) for cell in CELLS[:count]])
    for ms in MS[:count]:
        job = agent.lease(wait_s=0)
        assert job is not None
        agent.result(job["id"], job["lease_token"], measurement(job["graph"], ms=ms))


@pytest.mark.parametrize(("count", "kind"), [(4, "flops"), (6, "universal")])
def test_cells_of_a_device_adapt_the_predictor_of_cells(
    world: ImportedWorld, monkeypatch: pytest.MonkeyPatch, count: int, kind: str
) -> None:
    measure_cells(world, count)
    known, new = world.ask(TARGET.id, [CELLS[0].text, CELLS[-1].text])
    assert (known["source"], known["statistic"], known["origin"]) == ("measured", "median", "")
    assert (new["kind"], new["adapted"]) == (kind, kind == "universal")
    assert new["measurements"] == (count if new["adapted"] else 0)
    assert new["origin"] == ""
    graph = world.client.predict(TARGET.id, [item(onnx=model())])[0]
    assert (graph["kind"], graph["adapted"]) == ("flops", False)


@pytest.mark.slow
@pytest.mark.parametrize(("takeover", "by_cells"), [(8, False), (7, True)])
def test_an_adaptation_that_was_asked_for_yields_to_enough_cells(
    world: ImportedWorld, monkeypatch: pytest.MonkeyPatch, takeover: int, *, by_cells: bool
) -> None:
    monkeypatch.setattr(selection, "TAKEOVER_ROWS", takeover)
    measure_cells(world, 3)
    agent = world.agent()
    job = world.client.adapt(TARGET.id, samples=4, sampler="random", pool={"space": "nasbench201"})["id"]
    world.step()
    while (lease := agent.lease(wait_s=0)) is not None:
        agent.result(lease["id"], lease["lease_token"], measurement(lease["graph"], ms=2.0))
    world.step()
    adapted = world.client.job(job)["result"]["adaptation_id"]
    (answer,) = world.ask(TARGET.id, [CELLS[-1].text])
    assert (answer["kind"] == "universal") == by_cells  # else what was asked for, a stack of bases for graphs
    graph = world.client.predict(TARGET.id, [item(onnx=model())])[0]
    assert graph["predictor"] == f"adaptation:{adapted}"


def test_rows_are_listed_and_exported(world: ImportedWorld, tmp_path: Path) -> None:
    target = world.load(tmp_path, lines("phone", slice(0, 4)))["phone nasbench201"]
    rows = list(world.client.measurements(target, sort="id", space="nasbench201"))
    assert [(row["text"], row["median_ms"], row["statistic"], row["samples"]) for row in rows] == [
        (cell.text, ms, "reported", 0) for cell, ms in zip(CELLS[:4], MS[:4], strict=True)
    ]
    world.client.export(target, tmp_path / "rows.csv", file_format="csv")
    world.client.export(target, tmp_path / "rows.parquet")
    assert (tmp_path / "rows.csv").read_text().count("reported") == 4
    listed = world.client.target(target)
    assert (listed["origin"], listed["measurements"], listed["offered"]) == (ORIGIN, 4, False)


def test_a_shipped_predictor_that_cannot_be_read_is_left_out(
    world: ImportedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latcast.schema import ArtifactError

    def refuse(name: str) -> None:
        raise ArtifactError(f"{name} is older than this package.")

    monkeypatch.setattr("service.learning.catalogue._shipped", {})
    monkeypatch.setattr("service.learning.catalogue.pretrained", refuse)
    target = world.load(tmp_path, lines("phone", slice(0, 3)))["phone nasbench201"]
    (answer,) = world.ask(target, [CELLS[-1].text])
    assert answer["kind"] == "flops"


def test_an_imported_target_is_no_source_unless_asked_for(world: ImportedWorld, tmp_path: Path) -> None:
    from service.learning import datasets

    target = world.load(tmp_path, lines("phone", slice(0, 4)))["phone nasbench201"]
    with world.database.read() as session:
        assert len(datasets.load_dataset(session)) == 0
        assert len(datasets.load_dataset(session, target_id=target, imported=True)) == 4
        assert session.scalar(select(tables.Target.backend)) == Target(device="", backend="imported").backend
