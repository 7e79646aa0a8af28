"""How a machine becomes an agent: which targets it offers, and the key that it registers and works with."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from latcast.client import Client
from latcast.errors import AuthenticationError, ForbiddenError
from latcast.schema import BackendUnavailableError, Device, InputError, ProfileSettings, Target
from profilers.backends import get_backend
from profilers.backends.checks import checked_options
from profilers.backends.target_settings import target_for
from profilers.host.cpus import refuse_more_threads_than_cpus
from profilers.host.fingerprint import former_fingerprint
from profilers.host.private_files import read_private, require_own, restrict, write_private
from profilers.targets import why_not

__all__ = ["enrol", "offered_targets", "read_key", "state_folder", "write_key"]


MOST_KEY_BYTES = 10_000


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
    for name in backends:
        availability = get_backend(name).probe()
        if not availability.ok:
            raise BackendUnavailableError(f"The backend {name!r} cannot be used here: {availability.reason}")
        checked_options(f"The backend {name!r}", options or {}, get_backend(name))
    refuse_more_threads_than_cpus(max(threads), device)
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


def enrol(
    server: str,
    device: Device,
    targets: Sequence[Target],
    *,
    token: str | None,
    folder: Path,
    say: Callable[[str], None],
) -> str:
    """Register with the key of last time, else with the token; the key to work with, which is kept.

    Args:
        server: the service's address.
        device: this machine.
        targets: what it offers.
        token: an enrolment token; None where the machine has registered before.
        folder: keeps the key.
        say: told in a line when the kept key is refused.

    Raises:
        AuthenticationError, ForbiddenError: neither the key nor the token is accepted.
        UnavailableError: the service cannot be reached.
    """
    key = read_key(folder)
    if key is not None:
        try:
            with Client(server, key) as client:
                client.register(device, targets, former_fingerprint=former_fingerprint())
        except (AuthenticationError, ForbiddenError) as error:
            # Another database, or a revoked key: the token may still let us in.
            say(f"The stored key was refused ({error}) Registering anew.")
        else:
            return key
    with Client(server, None) as client:
        registered = client.register(device, targets, enrolment_token=token, former_fingerprint=former_fingerprint())
    new: str = registered["agent_key"]
    write_key(folder, new)
    return new


def state_folder(state: Path, server: str, device: Device) -> Path:
    """The folder of this agent's key and results, made where it is missing.

    That of version 0.1, whose name follows from the machine's former fingerprint, is taken over.

    Args:
        state: may begin with `~`.
        server: address of the service.
        device: this machine.

    Raises:
        InputError: the user has no home, as in some containers.
        OSError: it cannot be made, or is another user's.
    """
    try:
        state = state.expanduser()
    except RuntimeError as error:
        raise InputError(
            f"This user has no home folder for {state}: name a folder with --state, or set HOME."
        ) from error
    folder, former = (
        state / sha256(f"{server} {fingerprint}".encode()).hexdigest()[:16]
        for fingerprint in (device.fingerprint, former_fingerprint())
    )
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    if former.is_dir() and not folder.exists():
        former.rename(folder)
    folder.mkdir(exist_ok=True, mode=0o700)
    require_own(folder)
    return folder


def read_key(folder: Path) -> str | None:
    """The agent's key, if it registered before.

    Raises:
        OSError: something else is in the place of its file.
        InputError: the file holds no key.
    """
    path = folder / "key"
    try:
        content = read_private(path, most_bytes=MOST_KEY_BYTES)
    except FileNotFoundError:
        return None
    restrict(path)
    try:
        return content.decode("ascii").strip() or None  # a crash of version 0.1 could leave it empty
    except UnicodeDecodeError as error:
        raise InputError(f"{path} holds no key: remove it, and register anew with --token.") from error


def write_key(folder: Path, key: str) -> None:
    """Keep the key readable for its owner alone; it is on the disk when this returns."""
    write_private(folder / "key", key)
