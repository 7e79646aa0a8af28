"""What entries mean, and how they come out of the times of probes."""

from dataclasses import replace

import pytest

from profilers.microbench import ENTRIES, Entry
from profilers.microbench.child import single
from profilers.microbench.entries import LEAST_LAUNCH_MS, entries_of, missing_entries
from profilers.microbench.probes import CHAIN, PROBES, THREADED

PROBE_NAMES = [probe.name for probe in PROBES]


def test_entries_have_names_that_can_be_stored_and_sources_that_exist() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)
    timed = {*PROBE_NAMES, *map(single, THREADED)}
    assert {source for entry in ENTRIES for source in entry.sources} == timed
    for entry in ENTRIES:
        assert entry.about
        assert entry.name.endswith("_ms") == (len(entry.sources) == 1 or entry.name == "launch_ms")


def test_rates_have_units() -> None:
    entry = Entry(name="x_ms", about="", sources=("x",), macs=2_000_000)
    assert entry.rate(0.5) == "4.0 GMAC/s"
    assert replace(entry, moved_bytes=3_000_000).rate(0.5) == "6.0 GB/s"
    assert replace(entry, macs=0).rate(0.5) == ""


def test_times_become_entries() -> None:
    times = {name: 1.0 + index for index, name in enumerate(PROBE_NAMES)}
    one = entries_of(times, threads=1)
    assert set(one) == {entry.name for entry in ENTRIES}
    assert one["call_ms"] == times["chain_short"]
    assert one["launch_ms"] == pytest.approx((times["chain_long"] - times["chain_short"]) / CHAIN)
    assert one["elementwise_2m_ms"] == times["elementwise_2m"] / 8
    assert one["gemm_512_thread_gain"] == 1.0
    two = entries_of({**times, single("gemm_512"): 2 * times["gemm_512"]}, threads=2)
    assert two["gemm_512_thread_gain"] == 2.0
    assert "conv3x3_256x14_thread_gain" not in two


def test_times_scale_and_ratios_do_not() -> None:
    times = {name: 1.0 + index for index, name in enumerate(PROBE_NAMES)}
    slow = entries_of({name: 1000 * ms for name, ms in times.items()}, threads=1)
    for name, value in entries_of(times, threads=1).items():
        assert slow[name] == pytest.approx(value * (1000 if name.endswith("_ms") else 1))


def test_a_chain_that_the_runtime_compiled_away_stays_positive() -> None:
    assert entries_of({"chain_short": 0.5, "chain_long": 0.4}, threads=1)["launch_ms"] == LEAST_LAUNCH_MS


def test_missing_entries_have_reasons() -> None:
    reasons = missing_entries({"call_ms": 1.0}, {"chain_long": "It crashed.", single("gemm_512"): "It hung."})
    assert "call_ms" not in reasons
    assert reasons["launch_ms"] == "It crashed."
    assert reasons["gemm_512_thread_gain"] == "It hung."
    assert all(reasons.values())
