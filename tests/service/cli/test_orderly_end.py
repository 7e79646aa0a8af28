"""SIGTERM ends a block as an interrupt does: what it holds is cleaned up, and the exit code is 0."""

import signal
import subprocess
import sys

from service.cli.orderly_end import ending_in_order

PROGRAM = """
import os, signal, time
from service.cli.orderly_end import ending_in_order

with ending_in_order():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        print("the block went on")
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
        print("cleaned up", flush=True)
"""


def test_what_the_block_holds_is_cleaned_up_although_the_signal_comes_again() -> None:
    """In a process of its own, which is all that it can end."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "cleaned up\n", "")


def test_without_a_signal_everything_is_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ending_in_order():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
