"""A part of a list: each text forecast once, rows of their own errors, batches that one text spoils."""

from collections.abc import Sequence

import numpy as np
import pytest

from latcast.schema import Target, UnsupportedGraphError, to_plain
from predictors.artifact import Artifact
from predictors.base import LatencyDataset, Prediction, Query
from predictors.kinds.flops import FlopsPredictor
from predictors.registry import pretrained
from service.cli.score import forecasts
from service.cli.score.forecasts import Part, Sources, score_part
from tests.service.cli.score.conftest import SPACE, cells

TARGET = Target(device="d", backend="b")


def artifact() -> bytes:
    drawn = [SPACE.parse(text) for text in cells(10, seed=0)]
    support = LatencyDataset(
        queries=[Query(target=TARGET, architecture=one) for one in drawn],
        latency_ms=np.array([1.0 + one.text.count("conv") for one in drawn]),
    )
    adapted = pretrained("universal-nasbench201").adapt(TARGET, support).to_artifact()
    header = {name: getattr(adapted, name) for name in Artifact.__dataclass_fields__}
    return Artifact(**{**header, "meta": {"target": to_plain(TARGET)}}).to_bytes()


def sources() -> Sources:
    measured = {cells(1, seed=5)[0]: (3.0, np.nan, np.nan)}
    return Sources(level=0.9, labels=("d",), artifacts={("d", "nasbench201"): artifact()},
                   measured={("d", "nasbench201"): measured})  # fmt: skip


def test_errors_are_their_rows_alone() -> None:
    texts = [*cells(3, seed=5), "nonsense", cells(1, seed=5)[0], "x"]
    spaces = ["nasbench201"] * 3 + ["nasbench201", "NAS-Bench-201", "nobody's"]
    scored = score_part(sources(), Part(number=7, texts=texts, spaces=spaces))
    times, measured = scored.columns["d"].times_ms, scored.columns["d"].measured
    assert scored.number == 7
    assert measured == [True, False, False, False, True, False]
    assert times[[0, 4], 0].tolist() == [3.0, 3.0]
    assert (times[1:3, 1] < times[1:3, 0]).all()
    assert (times[1:3, 0] < times[1:3, 2]).all()
    assert [error is None for error in scored.errors] == [True, True, True, False, True, False]
    assert "nobody's" in str(scored.errors[5])


class Picky(FlopsPredictor):
    """Does not read one text, and has a senseless forecast of another."""

    refused, senseless = cells(2, seed=9)
    calls = 0

    def predict(self, queries: Sequence[Query]) -> Prediction:
        type(self).calls += 1
        texts = [query.architecture.text for query in queries if query.architecture]
        if self.refused in texts:
            raise UnsupportedGraphError("It reads no such text.")
        return Prediction(median_ms=np.array([np.inf if text == self.senseless else 2.0 for text in texts]))


def test_one_text_does_not_spoil_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasts, "_loaded", lambda _: (Picky(), TARGET))
    texts = cells(8, seed=9) * 2
    scored = score_part(sources(), Part(number=0, texts=texts, spaces=["nasbench201"] * 16))
    assert scored.errors[:2] == scored.errors[8:10]
    assert scored.errors[0] == "It reads no such text."
    assert "no positive number" in str(scored.errors[1])
    assert scored.columns["d"].times_ms[2:8, 0].tolist() == [2.0] * 6
    assert np.isnan(scored.columns["d"].times_ms[:, 1]).all()
    assert Picky.calls <= 2 * 4 + 1
