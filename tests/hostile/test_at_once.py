"""The worst of the corpus at once: the server's memory stays within its promise, and others are answered meanwhile.

How much longer they wait is no test, for it depends on the machine: `python -m tests.hostile --at-once` prints it.
"""

import pytest

from tests.hostile.at_once import Round, run_round, table
from tests.hostile.served import SERVER_MIB, WORKERS_MIB, Served


@pytest.mark.slow
def test_the_worst_at_once(served: Served) -> None:
    seen = run_round(served, idle_calls=2)
    assert seen.calls > 3
    assert seen.server_mib <= SERVER_MIB
    assert seen.workers_mib <= WORKERS_MIB


def test_the_table_has_the_median_of_the_ratios() -> None:
    rounds = [
        Round(idle={"/healthz": 2.0}, busy={"/healthz": busy}, calls=9, server_mib=300.0 + busy, workers_mib=900.0)
        for busy in (4.0, 20.0, 6.0)
    ]
    printed = table(rounds)
    assert "| /healthz | 2.0 | 20.0 | 10.0 |" in printed
    assert "| **/healthz**, median of 3 | | | **3.0** |" in printed
    assert "server 320 MiB, workers 900 MiB; calls: 9, 9, 9" in printed
