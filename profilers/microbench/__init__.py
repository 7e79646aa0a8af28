"""The descriptor of a target, measured in seconds: throughput of each kind of kernel, bandwidth, overhead of launches.

Small networks of one kind of kernel each (`probes`) are timed in turns (`rounds`) in a few child processes (`child`,
`runner`); `entries` says what comes out. `docs/measuring.md` describes it.
"""

from profilers.microbench.entries import ENTRIES, Entry
from profilers.microbench.runner import microbench, run_microbench

__all__ = ["ENTRIES", "Entry", "microbench", "run_microbench"]
