"""The descriptor of a target, measured in seconds: throughput of each kind of kernel, bandwidth, overhead of launches.

Small networks of one kind of kernel each (`probes`) are timed in turns (`profilers.timing.interleaved`) in a few
child processes (`child`, which imports nothing else from here); `runner` puts together what they say, `entries` says
what it means. `docs/guides/measuring.md` describes it.
"""

from profilers.microbench.entries import ENTRIES, Entry
from profilers.microbench.runner import microbench, run_microbench

__all__ = ["ENTRIES", "Entry", "microbench", "run_microbench"]
