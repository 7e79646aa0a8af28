"""Records of the measured data set are complete, immutable values."""

from dataclasses import FrozenInstanceError, fields

import pytest

from latcast.schema import Architecture
from predictors.data.measured.records import About, MeasuredRow, MeasuredTarget
from tests.predictors.data.measured.rows import DEVICE, ONE, row


def test_space_and_text_are_the_architecture() -> None:
    assert row(3).architecture == Architecture(space="zoo", text="plain/depth=3")


def test_a_failure_needs_no_figures_and_a_fresh_row_is_at_baseline_speed() -> None:
    failed = MeasuredRow(space="zoo", text="x", graph="g", target="t", method="quick", failure_stage="timeout")
    figures = (failed.latency_ms, failed.p10_ms, failed.p90_ms, failed.iqr_ms, failed.process_spread, failed.noise_log)
    assert figures == (None,) * 6
    assert failed.slowness == 1.0
    assert failed.kernels is None


def test_records_cannot_be_changed_and_defaults_are_not_shared() -> None:
    with pytest.raises(FrozenInstanceError):
        row(1).stale = True  # type: ignore[misc]
    first, second = (MeasuredTarget(target=ONE, device=DEVICE) for _ in range(2))
    assert first == second
    assert first.microbench is not second.microbench
    assert About() == About(licence="", notes=())


@pytest.mark.parametrize("cls", [MeasuredRow, MeasuredTarget, About])
def test_every_field_is_described(cls: type) -> None:
    described = [line.strip().partition(":")[0] for line in (cls.__doc__ or "").partition("Args:")[2].splitlines()]
    names = {name for entry in described for name in entry.split(", ")}
    assert {field.name for field in fields(cls)} <= names
