"""How a target is measured in a campaign."""

import pytest

from latcast.schema import Device, ProfileSettings
from profilers.backends.fake import FakeBackend
from profilers.campaign.lane import Lane

DEVICE = Device(fingerprint="f", name="here", machine="x86_64", processor="p", physical_cores=1, logical_cores=1,
                memory_bytes=2**30)  # fmt: skip
SETTINGS = ProfileSettings(backend="fake", threads=2, options={"latency_us": "50"}, processes=9, seed=3)


def test_both_ways_of_measuring_are_of_the_target() -> None:
    lane = Lane(SETTINGS, DEVICE)
    for settings in (lane.quick, lane.careful):
        assert (settings.backend, settings.precision, settings.threads) == ("fake", "fp32", 2)
        assert settings.options == {"latency_us": "50"}
    assert lane.quick.processes == 1
    assert not lane.quick.sentinel
    assert lane.careful.processes > 1
    assert lane.careful.sentinel


def test_kernels_that_take_long_are_left_out_of_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Lane(SETTINGS, DEVICE).quick.kernels
    monkeypatch.setattr(FakeBackend, "profiling_seconds", 5.0)
    assert not Lane(SETTINGS, DEVICE).quick.kernels
    assert Lane(SETTINGS, DEVICE).careful.kernels
