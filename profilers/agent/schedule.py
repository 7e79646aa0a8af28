"""When an agent may measure: within hours, on mains, while nobody else uses the machine, and so much of the time."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from latcast.schema import InputError
from profilers.host.host_files import HOST, HostFiles

__all__ = ["Hours", "Schedule"]

BUSY_SHARE = 0.1
"""Share of all processors beyond which others use the machine: background services of a desktop take less."""
LOOK_S = 2.0
SPAN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of the day, in minutes since midnight of this machine's clock; one that ends before it begins goes on over
    midnight.
    """

    begin: int
    end: int

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """The span that a text as `20:00-06:30` names.

        Raises:
            InputError: it names none.
        """
        match = SPAN.fullmatch(text.strip())
        begin, end = (60 * int(match[i]) + int(match[i + 1]) for i in (1, 3)) if match else (0, 0)
        if begin == end or end > 24 * 60:
            raise InputError(f"{text!r} is no span of the day: write it as 20:00-06:30.")
        return cls(begin, end)

    def __contains__(self, now: datetime) -> bool:
        minute = 60 * now.hour + now.minute
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def __str__(self) -> str:
        return f"{self.begin // 60:02}:{self.begin % 60:02}-{self.end // 60:02}:{self.end % 60:02}"


@dataclass(kw_only=True)
class Schedule:
    """When new work may begin; what has begun is finished.

    Args:
        hours: within any of these; empty is always.
        on_mains: not while the machine runs on its battery.
        idle: not while other programs use a tenth of the processors.
        share: of the time, 0 to 1, that measuring takes at most.
        root: what stands for `/`.
        now: tells the time of day.
        clock: seconds that only grow.
        sleep: waits for so many seconds.
    """

    hours: tuple[Hours, ...] = ()
    on_mains: bool = False
    idle: bool = False
    share: float = 1.0
    root: Path = HOST
    now: Callable[[], datetime] = datetime.now
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    _rests_until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"The share of the time has to be above 0 and at most 1, found {self.share}.")

    def why_not(self) -> str:
        """Why no work may begin now, in a sentence; empty where it may."""
        if self.hours and not any(self.now() in span for span in self.hours):
            return f"It works from {' and '.join(map(str, self.hours))}."
        if self.on_mains and not self._has_mains():
            return "The machine runs on its battery."
        if (rest_s := self._rests_until - self.clock()) > 0:
            return f"It works {self.share:.0%} of the time, and rests for {rest_s:.0f} s."
        if self.idle and (busy := self._busy_share()) > BUSY_SHARE:
            return f"Other programs use {busy:.0%} of the processors."
        return ""

    def worked(self, seconds: float) -> None:
        """Take note that a job took so long: the rest that its share asks for begins."""
        self._rests_until = self.clock() + seconds * (1 / self.share - 1)

    def _has_mains(self) -> bool:
        """Whether a charger is in, or there is no battery that could be empty."""
        host = HostFiles(self.root)
        supplies = "sys/class/power_supply"
        kinds = {path.name: host.text(f"{supplies}/{path.name}/type") for path in (self.root / supplies).glob("*")}
        chargers = [name for name, kind in kinds.items() if kind in ("Mains", "USB")]
        if any(host.number(f"{supplies}/{name}/online") == 1 for name in chargers):
            return True
        batteries = [name for name, kind in kinds.items() if kind == "Battery"]
        return not any(host.text(f"{supplies}/{name}/status") == "Discharging" for name in batteries)

    def _busy_share(self) -> float:
        """Share of all processors' time that was used in the last moments; 0 where the host does not count."""
        before = self._ticks()
        self.sleep(LOOK_S)
        after = self._ticks()
        if before is None or after is None or after[1] <= before[1]:
            return 0.0
        return (after[0] - before[0]) / (after[1] - before[1])

    def _ticks(self) -> tuple[int, int] | None:
        """(used, all) ticks since the start: neither idle nor waiting for a disk."""
        line = re.match(r"cpu\s+([\d ]+)", HostFiles(self.root).text("proc/stat"))
        ticks = [int(number) for number in line[1].split()[:8]] if line else []
        return (sum(ticks) - ticks[3] - ticks[4], sum(ticks)) if len(ticks) == 8 else None
