"""`latcast agent`: measure on this machine what the service asks for."""

import signal
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from latcast.errors import AuthenticationError, ForbiddenError
from service.cli.common import console, open_client, parse_pairs
from service.cli.options import DEFAULT_SERVER, ServerOption
from service.cli.tables import echo, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from latcast.schema import Device, Target
    from profilers.agent.run import AgentEvent
    from profilers.agent.schedule import Schedule

__all__ = ["agent"]

When = Literal["auto", "always", "never"]

REFUSALS = (AuthenticationError, ForbiddenError)
REFUSED = 3
"""Exit code of an agent whose key or token the service does not take: starting it again is of no use."""
LEASE_WAIT_S = 5.0
"""How long one call for a job waits: an interrupt is noticed between two calls."""


def agent(
    server: ServerOption = DEFAULT_SERVER,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="LATCAST_ENROLMENT_TOKEN", help="Enrolment token (latcast keys enrol); the first time only."
        ),
    ] = None,
    state: Annotated[
        Path, typer.Option(help="Folder for the agent's key and for results that are not acknowledged yet.")
    ] = Path("~/.local/state/latcast"),
    name: Annotated[str | None, typer.Option(help="What to call this device; the host name by default.")] = None,
    device_id: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            envvar="LATCAST_DEVICE_ID",
            help="What tells this machine from others of the same hardware that were made from one image, a name of "
            "its own for each; the machine's own ids by default.",
        ),
    ] = None,
    backend: Annotated[
        list[str] | None, typer.Option(help="Backend to offer; repeatable. Default: onnxruntime.")
    ] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="Precision to offer in each backend; repeatable. Default: fp32.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option of the backend; repeatable.")
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option(min=1, help="Intra-operator threads to offer; repeatable. Default: 1.")
    ] = None,
    microbench: Annotated[
        When,
        typer.Option(help="Describe the targets by microbenchmarks first: auto is for those that have none of late."),
    ] = "auto",
    hours: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FROM-TO", help="Take jobs only then, as 20:00-06:30 of this machine's clock; repeatable."
        ),
    ] = None,
    share: Annotated[
        float, typer.Option(min=1.0, max=100.0, metavar="PERCENT", help="Measure so much of the time at most.")
    ] = 100.0,
    idle: Annotated[
        bool, typer.Option("--idle", help="Take no jobs while other programs use a tenth of the processors.")
    ] = False,
    on_mains: Annotated[bool, typer.Option("--on-mains", help="Take no jobs while it runs on a battery.")] = False,
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print a unit of systemd for this call, and end.")
    ] = False,
) -> None:
    """Register this machine and work: lease a job, measure its graph in child processes with limits, report.

    First it describes each target to the service by microbenchmarks (ten seconds; again after 30 days). Runs until it
    is interrupted. While the service is away, or a proxy answers in its place, it waits; a result that was not
    acknowledged is kept in the state folder and sent when the service is back. It ends by itself, with exit code 3,
    only where the service refuses its key or token. A machine has one agent at a time: another one, with the same state
    folder or without its key, is refused, unless --device-id makes it a device of its own.

    A schedule says when it takes new jobs; what it has begun it finishes, and results go out at any time.

    \b
    Examples:
      latcast agent
      latcast agent --threads 1 --threads 4 --microbench always
      latcast agent --backend openvino --precision fp32 --precision bf16
      latcast agent --server https://latcast.example --token latcast_… \\
        --name pi-07 --threads 1 --threads 4
      latcast agent --server https://latcast.example --token latcast_… \\
        --name board-3 --device-id board-3
      latcast agent --hours 20:00-06:30 --idle --on-mains --share 50
      latcast agent --server https://latcast.example --name pi-07 --print-unit
    """
    if print_unit:
        _print_unit()
        return
    from dataclasses import replace

    from profilers.agent.schedule import Hours, Schedule
    from profilers.host.device import describe_device
    from service.agent.enrolment import offered_targets, state_folder
    from service.agent.state_lock import alone_in

    spans = tuple(Hours.parse(text) for text in hours or ())
    schedule = Schedule(hours=spans, share=share / 100, idle=idle, on_mains=on_mains)
    device = describe_device(device_id=device_id) if device_id else describe_device()
    if name:
        device = replace(device, name=name)
    backends = backend or ["onnxruntime"]
    options = parse_pairs(option or [], "--option")
    targets = offered_targets(device, backends, threads or [1], precisions=precision or ["fp32"], options=options)
    folder = state_folder(state, server, device)
    try:
        with alone_in(folder):
            _work(
                server,
                token,
                device,
                targets,
                backends=backends,
                folder=folder,
                microbench=microbench,
                schedule=schedule,
            )
    except REFUSALS as error:
        say(f"latcast: {error}", console)
        raise typer.Exit(REFUSED) from error


def _work(
    server: str,
    token: str | None,
    device: "Device",
    targets: "Sequence[Target]",
    *,
    backends: "Sequence[str]",
    folder: Path,
    microbench: When,
    schedule: "Schedule",
) -> None:
    """Register and work until interrupted.

    Raises:
        AuthenticationError, ForbiddenError: the service refuses the agent's key or token.
    """
    from profilers.agent.jobs import AgentRefusedError
    from profilers.agent.run import run_agent
    from service.agent.description import describe_targets
    from service.agent.enrolment import enrol
    from service.agent.job_source import ServiceJobSource
    from service.agent.patience import until_answered

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    tell_person = partial(say, out=console)
    key = until_answered(
        lambda: enrol(server, device, targets, token=token, folder=folder, say=tell_person), stop=stop, say=tell_person
    )
    if key is None:
        return
    with open_client(server, key) as client:
        tell_person(f"{device.name} offers {', '.join(target.label for target in targets)} to {server}.")
        describe_targets(client, device, targets, when=microbench, stop=stop, say=tell_person)
        tell_person("Waiting for jobs; interrupt to end.")
        source = ServiceJobSource(client, wait_s=LEASE_WAIT_S)
        try:
            run_agent(
                source, device=device, backends=backends, stop=stop, on_event=tell, spool=folder / "spool",
                schedule=schedule,
            )  # fmt: skip
        except AgentRefusedError as error:
            raise AuthenticationError(
                f"The service refuses this agent: {error} It ends; results that were not taken wait in "
                f"{folder / 'spool'} for an agent with a key (latcast agent --token …)."
            ) from error
    tell_person("Ended.")


def _print_unit() -> None:
    """Print the unit for the options of this call."""
    import shutil
    import sys

    from service.agent.unit import systemd_unit

    options = sys.argv[sys.argv.index("agent") + 1 :] if "agent" in sys.argv else []
    program = Path(shutil.which("latcast") or sys.argv[0]).absolute()
    for line in systemd_unit(str(program), options).splitlines():
        echo(line)


def tell(event: "AgentEvent") -> None:
    """Show what happens, without every step of a measurement."""
    if event.kind != "progress":
        job = f"[job {event.job.id[-8:]}] " if event.job else ""
        say(f"{job}{event.kind}: {event.message}", console)
