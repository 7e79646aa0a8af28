"""Events of the hardware are told from those that the operating system counts on every machine."""

from profilers.counters.hardware import SYSTEM_EVENTS, is_hardware_event
from profilers.counters.perf_event import EVENTS
from profilers.counters.process import FIELDS


def test_what_the_operating_system_counts_is_no_event_of_the_hardware() -> None:
    assert set(FIELDS) <= SYSTEM_EVENTS
    assert {"task-clock", "page-faults", "cpu-migrations"} <= SYSTEM_EVENTS
    assert not any(map(is_hardware_event, SYSTEM_EVENTS))


def test_events_of_processors_and_of_plug_ins_are() -> None:
    assert {event for event in EVENTS if is_hardware_event(event)} == set(EVENTS) - SYSTEM_EVENTS
    assert is_hardware_event("cpu-cycles")
    assert is_hardware_event("gpu-instructions")
