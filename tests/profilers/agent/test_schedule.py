"""Agents work when their schedule says: hours over midnight, mains, idle processors, a share of the time."""

from datetime import datetime
from pathlib import Path

import pytest

from latcast.schema import InputError
from profilers.agent.schedule import Hours, Schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-29T{text}")


@pytest.mark.parametrize(
    ("span", "inside", "outside"),
    [("20:00-06:30", ["20:00", "23:59", "06:29"], ["19:59", "06:30", "12:00"]),
     ("09:00-17:00", ["09:00", "16:59"], ["08:59", "17:00"]), ("00:00-24:00", ["00:00", "23:59"], [])],
)  # fmt: skip
def test_hours_go_on_over_midnight(span: str, inside: list[str], outside: list[str]) -> None:
    hours = Hours.parse(span)
    assert str(hours) == span
    assert [at(text) in hours for text in inside] == [True] * len(inside)
    assert [at(text) in hours for text in outside] == [False] * len(outside)


@pytest.mark.parametrize("text", ["", "20-6", "20:00", "25:00-26:00", "06:00-06:00", "20:00-24:30"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write it as 20:00-06:30"):
        Hours.parse(text)


def supply(root: Path, name: str, **files: str) -> None:
    folder = root / "sys/class/power_supply" / name
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text)


def test_a_battery_that_empties_is_no_mains(tmp_path: Path) -> None:
    schedule = Schedule(on_mains=True, root=tmp_path)
    assert schedule.why_not() == ""
    supply(tmp_path, "BAT0", type="Battery", status="Discharging")
    assert schedule.why_not() == "The machine runs on its battery."
    supply(tmp_path, "AC", type="Mains", online="1")
    assert schedule.why_not() == ""


def test_others_at_work_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    stat = tmp_path / "proc/stat"
    ticks = iter(["cpu  150 0 0 1850 0 0 0 0", "cpu  150 0 0 2850 0 0 0 0"])
    schedule = Schedule(idle=True, root=tmp_path, sleep=lambda _s: stat.write_text(next(ticks)))
    assert schedule.why_not() == ""  # nothing is counted here
    stat.write_text("cpu  100 0 0 900 0 0 0 0")
    ticks = iter(["cpu  300 0 0 1700 0 0 0 0", "cpu  310 0 0 2690 0 0 0 0"])
    assert schedule.why_not() == "Other programs use 20% of the processors."
    assert schedule.why_not() == ""


def test_a_share_of_the_time_is_kept_by_resting() -> None:
    seconds = [0.0]
    schedule = Schedule(share=0.25, clock=lambda: seconds[0])
    assert schedule.why_not() == ""
    schedule.worked(10.0)
    assert schedule.why_not() == "It works 25% of the time, and rests for 30 s."
    seconds[0] = 30.0
    assert schedule.why_not() == ""
    with pytest.raises(InputError, match="above 0"):
        Schedule(share=0.0)
