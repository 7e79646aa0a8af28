"""Targets out of settings, and settings out of targets."""

import pytest

from latcast.schema import Device, ProfileSettings, UnknownNameError
from profilers.backends.target_settings import settings_for, target_for

DEVICE = Device(fingerprint="f", name="here", machine="x86_64", processor="p", physical_cores=1, logical_cores=1,
                memory_bytes=2**30)  # fmt: skip


def test_equal_settings_are_one_target_whether_defaults_are_spelled_out_or_not() -> None:
    silent = target_for(DEVICE, ProfileSettings())
    assert silent == target_for(DEVICE, ProfileSettings(options={"optimisation": "all"}))
    assert silent.options == {"optimisation": "all", "spinning": "off"}
    assert silent.id != target_for(DEVICE, ProfileSettings(threads=2)).id


def test_settings_of_a_target_measure_that_target() -> None:
    target = target_for(DEVICE, ProfileSettings(backend="fake", threads=2, options={"latency_us": "7"}))
    settings = settings_for(target, {"processes": 1})
    assert settings.processes == 1
    assert target_for(DEVICE, settings) == target


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(UnknownNameError, match="abacus"):
        target_for(DEVICE, ProfileSettings(backend="abacus"))
