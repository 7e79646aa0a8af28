"""An agent's own errand: keep the service informed of what the agent's targets are like."""

import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Literal

from latcast.client import Client
from latcast.schema import MICROBENCH_VERSION, Device, LatcastError, Microbench, ProfileSettings, Target
from profilers.backends.target_settings import settings_for
from profilers.microbench import run_microbench

__all__ = ["DAYS", "describe_targets", "is_due"]

DAYS = 30.0
"""After so long a description is taken anew: kernels, governors and neighbours change."""

Run = Callable[..., Microbench]


class _StoppedError(LatcastError):
    """The agent has to end."""


def describe_targets(
    client: Client,
    device: Device,
    targets: Sequence[Target],
    *,
    when: Literal["auto", "always", "never"],
    stop: Event,
    say: Callable[[str], None],
    run: Run = run_microbench,
) -> None:
    """Run the microbenchmarks of those targets for which it is time, and report them.

    Whatever goes wrong is said and does not keep the agent from its work.

    Args:
        client: with the agent's key; the targets are registered.
        device: this machine.
        targets: of this machine.
        when: `auto` for targets that have no description, an old one or one by other probes; `always`; `never`.
        stop: ends the errand between two processes.
        say: told in a line what happens.
        run: `profilers.microbench.run_microbench`, or what a test puts in its place.
    """
    for target in targets if when != "never" else ():
        if stop.is_set():
            return
        try:
            if when == "always" or is_due(client, target):
                say(f"Describing {target.label} by microbenchmarks.")
                client.put_microbench(_run(run, settings_for(target), device, stop))
        except _StoppedError:
            return
        except LatcastError as error:
            say(f"{target.label} stays without microbenchmarks for now: {error}")
        except (KeyError, TypeError) as error:
            say(f"{target.label} stays without microbenchmarks: the answer cannot be read ({type(error).__name__}).")


def is_due(client: Client, target: Target) -> bool:
    """Whether the service has no description of the target, an old one, or one by other probes."""
    found = client.microbench(target.id)
    if found is None or found["microbench"]["version"] != MICROBENCH_VERSION:
        return True
    return bool(time.time() - found["created_unix_s"] > DAYS * 86_400)


def _run(run: Run, settings: ProfileSettings, device: Device, stop: Event) -> Microbench:
    def progress(share: float, what: str) -> None:
        if stop.is_set():
            raise _StoppedError("The agent was stopped.")

    return run(settings, device=device, progress=progress)
