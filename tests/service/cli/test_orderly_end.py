"""SIGTERM ends a block as an interrupt does: what it holds is cleaned up, and the exit code is 0."""

import os
import signal

import pytest

from service.cli.orderly_end import ending_in_order


def interrupted(cleaned: list[str]) -> None:
    with ending_in_order():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            pytest.fail("the block went on")
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned.append("folder")


def test_what_the_block_holds_is_cleaned_up_although_the_signal_comes_again() -> None:
    before, cleaned = signal.getsignal(signal.SIGTERM), list[str]()
    with pytest.raises(SystemExit) as ended:
        interrupted(cleaned)
    assert (ended.value.code, cleaned) == (0, ["folder"])
    assert signal.getsignal(signal.SIGTERM) == before


def test_without_a_signal_everything_is_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ending_in_order():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
