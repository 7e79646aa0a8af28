"""Questions that all runtimes are asked."""

import pytest

from latcast.schema import InputError
from profilers.backends.checks import check_precision, checked_options, memory_error, probe_package
from profilers.backends.fake import FakeBackend


def test_an_installed_package_has_a_version() -> None:
    availability = probe_package("numpy", runtime="NumPy", extra="agent", precisions=["fp32"])
    assert availability.ok
    assert availability.version
    assert availability.precisions == ("fp32",)


def test_a_missing_package_says_how_to_get_it() -> None:
    availability = probe_package("no-such-package", runtime="Nothing", extra="agent", precisions=[])
    assert not availability.ok
    assert "pip install 'latcast[agent]'" in availability.reason


def test_an_unknown_precision_is_refused() -> None:
    check_precision("The fake", "fp32", FakeBackend())
    with pytest.raises(InputError, match="cannot run the precision 'fp7': choose fp32"):
        check_precision("The fake", "fp7", FakeBackend())


def test_options_are_completed_and_checked() -> None:
    assert checked_options("The fake", {"fault": "crash"}, FakeBackend()) == {"latency_us": "", "fault": "crash"}
    with pytest.raises(InputError, match="has no option 'colour': known are latency_us, fault"):
        checked_options("The fake", {"colour": "red"}, FakeBackend())
    with pytest.raises(InputError, match="fault cannot be 'flood'"):
        checked_options("The fake", {"fault": "flood"}, FakeBackend())


def test_lack_of_memory_is_recognised_in_the_words_of_runtimes() -> None:
    error = MemoryError()
    assert memory_error(error, "words") is error
    recognised = memory_error(RuntimeError("std::bad_alloc"), "It needs more.")
    assert isinstance(recognised, MemoryError)
    assert str(recognised) == "It needs more."
    assert memory_error(RuntimeError("bad luck"), "words") is None
