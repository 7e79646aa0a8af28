"""`latcast microbench`: what this machine's kernels can do."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from latcast.schema import Microbench, ProfileSettings, to_plain
from service.cli.common import console, parse_pairs
from service.cli.options import BackendOption, BackendOptionsOption, JsonOption, PrecisionOption, ThreadsOption
from service.cli.results import deliver
from service.cli.tables import names, numbers, output, print_table, say
from service.cli.units import duration

if TYPE_CHECKING:
    from profilers.microbench import Entry

__all__ = ["microbench"]

DEFAULTS = ProfileSettings()


def microbench(
    backend: BackendOption = DEFAULTS.backend,
    precision: PrecisionOption = DEFAULTS.precision,
    threads: ThreadsOption = DEFAULTS.threads,
    option: BackendOptionsOption = None,
    json_out: JsonOption = None,
) -> None:
    """Describe a target of this machine by small networks of one kind of kernel each, in about ten seconds.

    Products, convolutions, sums at the sizes of the caches, what a call and each kernel in it cost, what threads gain.
    Predictors use it as the target's descriptor; `latcast agent` reports it to the service by itself.

    \b
    Examples:
      latcast microbench
      latcast microbench --threads 2
      latcast microbench --backend openvino --precision bf16 --json bf16.json
      latcast microbench --option optimisation=disabled
    """
    settings = ProfileSettings(
        backend=backend, precision=precision, threads=threads, options=parse_pairs(option or [], "--option")
    )
    microbenchmark = _run(settings)
    deliver(_document(microbenchmark), json_out, lambda: print_microbench(microbenchmark))


def _run(settings: ProfileSettings) -> Microbench:
    from rich.progress import BarColumn, TimeElapsedColumn

    from profilers.microbench import run_microbench
    from service.cli.progress import DESCRIPTION, bar

    with bar(console, "measuring", BarColumn(), DESCRIPTION, TimeElapsedColumn()) as shown:
        task = shown.add_task("starting", total=1.0)
        return run_microbench(
            settings, progress=lambda share, what: shown.update(task, completed=share, description=what)
        )


def _document(microbenchmark: Microbench) -> dict[str, Any]:
    from profilers.microbench import ENTRIES

    rates = {
        entry.name: entry.rate(microbenchmark.values[entry.name])
        for entry in ENTRIES
        if entry.name in microbenchmark.values
    }
    return {**to_plain(microbenchmark), "rates": {name: rate for name, rate in rates.items() if rate}}


def print_microbench(microbenchmark: Microbench, out: Console | None = None) -> None:
    """Print microbenchmarks for people.

    Args:
        microbenchmark: what to print.
        out: where to; standard output by default.
    """
    from profilers.microbench import ENTRIES

    out = out or output()
    say(microbenchmark.target.label, out)
    columns = [names("kernel"), numbers("time"), numbers("achieved"), numbers("spread")]
    print_table(columns, [(entry.about, *_cells(entry, microbenchmark)) for entry in ENTRIES], out=out)
    for entry, why in microbenchmark.missing.items():
        say(f"{entry}: {why}", out, style="dim")
    say(Text.assemble(f"{microbenchmark.seconds:.1f} s. ", _steadiness(microbenchmark)), out)


def _cells(entry: "Entry", microbenchmark: Microbench) -> tuple[str, str, str]:
    value = microbenchmark.values.get(entry.name)
    if value is None:
        return "missing", "", ""
    text = duration(value) if entry.name.endswith("_ms") else f"{value:.2f} ×"
    return text, entry.rate(value), f"{microbenchmark.spread[entry.name]:.1%}"


def _steadiness(microbenchmark: Microbench) -> tuple[str, str]:
    """A sentence and its style."""
    if microbenchmark.noisy:
        share = microbenchmark.after.quota_throttled_share if microbenchmark.after else None
        if share:
            return f"Noisy: the container's CPU quota stopped the process in {share:.0%} of its periods.", "yellow"
        return "Noisy: the host was busy meanwhile; stop other programs and measure again.", "yellow"
    return "Spread: (highest − lowest) / value, between processes.", ""
