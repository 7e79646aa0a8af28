"""`latcast agent`: measure on this machine what the service asks for."""

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from latcast.errors import AuthenticationError, ForbiddenError
from latcast.schema import BackendUnavailableError, Device, InputError, Target
from service.cli.common import DEFAULT_SERVER, ServerOption, console, open_client, parse_pairs

if TYPE_CHECKING:
    from profilers.agent.agent import AgentEvent

__all__ = ["agent"]

When = Literal["auto", "always", "never"]

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
) -> None:
    """Register this machine and work: lease a job, measure its graph in child processes with limits, report.

    First it describes each target to the service by microbenchmarks (ten seconds; again after 30 days). Runs until it
    is interrupted. While the service is away it waits; a result that was not acknowledged is kept in
    the state folder and sent when the service is back.

    \b
    Examples:
      latcast agent
      latcast agent --threads 1 --threads 4 --microbench always
      latcast agent --backend openvino --precision fp32 --precision bf16
      latcast agent --server https://latcast.example --token latcast_… --name pi-07 --threads 1 --threads 4
    """
    from dataclasses import replace

    from profilers.agent.agent import run_agent
    from profilers.host.environment import describe_device
    from service.agent.description import describe_targets
    from service.agent.job_source import ServiceJobSource

    device = describe_device()
    if name:
        device = replace(device, name=name)
    backends = backend or ["onnxruntime"]
    options = parse_pairs(option or [], "--option")
    targets = offered_targets(device, backends, threads or [1], precisions=precision or ["fp32"], options=options)
    folder = state.expanduser() / sha256(f"{server} {device.fingerprint}".encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    key = enrol(server, device, targets, token=token, folder=folder)
    with open_client(server, key) as client:
        console.print(f"{device.name} offers {', '.join(target.label for target in targets)} to {server}.")
        say = partial(console.print, markup=False)
        describe_targets(client, device, targets, when=microbench, stop=stop, say=say)
        console.print("Waiting for jobs; interrupt to end.")
        source = ServiceJobSource(client, wait_s=LEASE_WAIT_S)
        run_agent(source, device=device, backends=backends, stop=stop, on_event=tell, spool=folder / "spool")
    console.print("Ended.")


def offered_targets(
    device: Device,
    backends: Sequence[str],
    threads: Sequence[int],
    *,
    precisions: Sequence[str] = ("fp32",),
    options: Mapping[str, str] | None = None,
) -> list[Target]:
    """A target for each backend, precision and number of threads.

    Raises:
        UnknownNameError: there is no such backend.
        BackendUnavailableError: this machine lacks a runtime that was asked for.
        InputError: it has the runtime, which cannot do what was asked for.
    """
    from latcast.schema import ProfileSettings
    from profilers.backends import get_backend
    from profilers.backends.checks import checked_options
    from profilers.targets import why_not
    from profilers.timing.sandbox import target_for

    for name in backends:
        availability = get_backend(name).probe()
        if not availability.ok:
            raise BackendUnavailableError(f"The backend {name!r} cannot be used here: {availability.reason}")
        checked_options(f"The backend {name!r}", options or {}, get_backend(name))
    if max(threads) > device.logical_cores:
        raise InputError(f"--threads {max(threads)}: this machine has {device.logical_cores} logical cores.")
    wanted = [
        ProfileSettings(backend=name, precision=precision, threads=count, options=options or {})
        for name in backends
        for precision in precisions
        for count in threads
    ]
    for settings, reason in why_not(wanted):
        if reason:
            raise InputError(f"This machine cannot be {settings.backend} {settings.precision}: {reason}")
    return [target_for(device, settings) for settings in wanted]


def enrol(server: str, device: Device, targets: list[Target], *, token: str | None, folder: Path) -> str:
    """Register, with the key that is there or with the token; the key to work with, which is kept."""
    key = read_key(folder)
    if key is not None:
        try:
            with open_client(server, key) as client:
                client.register(device, targets)
        except (AuthenticationError, ForbiddenError) as error:
            # Another database, or a revoked key: the token may still let us in.
            console.print(f"The stored key was refused ({error}) Registering anew.", markup=False)
        else:
            return key
    with open_client(server, None) as client:
        new: str = client.register(device, targets, enrolment_token=token)["agent_key"]
    write_key(folder, new)
    return new


def read_key(folder: Path) -> str | None:
    """The agent's key, if it registered before."""
    path = folder / "key"
    return path.read_text(encoding="utf-8").strip() if path.exists() else None


def write_key(folder: Path, key: str) -> None:
    """Keep the key readable for its owner alone."""
    descriptor = os.open(folder / "key", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(key)


def tell(event: "AgentEvent") -> None:
    """Show what happens, without every step of a measurement."""
    if event.kind != "progress":
        job = f"[job {event.job.id[-8:]}] " if event.job else ""
        console.print(f"{job}{event.kind}: {event.message}", markup=False)
