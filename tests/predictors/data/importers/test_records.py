"""Collecting columns into one data set: what is left out is reported with its reason."""

import numpy as np

from latcast.schema import Architecture, Target
from predictors.data.importers.records import BACKEND, Column, Skipped, collect


def column(device: str, *latencies_ms: float, texts: str = "abcdef") -> Column:
    names = texts[: len(latencies_ms)]
    return Column(
        target=Target(device=device, backend=BACKEND, options={"space": "zoo"}),
        architectures=[Architecture(space="zoo", text=text) for text in names],
        latency_ms=np.array(latencies_ms),
    )


def test_columns_become_rows_in_order() -> None:
    imported = collect("two columns", [column("a", 1.0, 2.0), column("b", 3.0)], [], statistic="reported")
    assert imported.dataset.latency_ms.tolist() == [1.0, 2.0, 3.0]
    assert [query.target.device for query in imported.dataset.queries] == ["a", "a", "b"]
    assert [target.device for target in imported.report.targets] == ["a", "b"]
    assert (imported.report.source, imported.report.rows, imported.statistic) == ("two columns", 3, "reported")
    assert imported.report.skipped == ()


def test_latencies_that_are_not_positive_numbers_are_left_out() -> None:
    imported = collect("x", [column("a", 1.0, 0.0, -1.0, np.nan, np.inf)], [])
    assert imported.dataset.latency_ms.tolist() == [1.0]
    (skipped,) = imported.report.skipped
    assert (skipped.what, skipped.rows) == ("a zoo", 4)
    assert "positive" in skipped.reason


def test_the_median_of_repeated_rows_counts_and_is_remarked() -> None:
    imported = collect("x", [column("a", np.nan, 2.0, 3.0, 4.0, texts="ssst")], [])
    assert imported.dataset.latency_ms.tolist() == [2.5, 4.0]
    assert [item.rows for item in imported.report.skipped] == [1]
    assert imported.report.remarks == ("a zoo: 1 row repeats an architecture; the median of its rows counts.",)


def test_latencies_a_thousand_times_off_are_named_and_left_out() -> None:
    imported = collect("x", [column("a", 2.0, 2.5, 1e10, 3.0, 1e-10, 2.4)], [])
    assert imported.dataset.latency_ms.tolist() == [2.0, 2.5, 3.0, 2.4]
    assert [(item.what, item.rows) for item in imported.report.skipped] == [("a zoo, c", 1), ("a zoo, e", 1)]
    assert "1e+10 ms is a thousand times off the median of its target" in imported.report.skipped[0].reason
    few = collect("x", [column("a", 2.0, 1e10, 3.0)], [])
    assert len(few.dataset) == 3, "three rows have no median to speak of"


def test_what_the_importer_skipped_comes_first() -> None:
    file = Skipped(what="c.pt", reason="it is empty.", rows=2000)
    imported = collect("x", [column("a", 0.0)], [file])
    assert imported.report.skipped[0] is file
    assert len(imported.dataset) == 0


def test_skipped_parts_are_sentences() -> None:
    assert str(Skipped(what="c.pt", reason="it is empty.", rows=2000)) == "c.pt (2,000 rows): it is empty."
    assert str(Skipped(what="row 3", reason="ms is no number.", rows=1)) == "row 3: ms is no number."
