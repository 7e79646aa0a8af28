"""Counter readers by their names."""

from profilers.counters import counter_names, get_counter_reader


def test_readers_are_found_by_name() -> None:
    assert {"null", "perf_event", "process"} <= set(counter_names())
    assert get_counter_reader("process").name == "process"
