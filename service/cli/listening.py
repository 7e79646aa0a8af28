"""Whether the service can listen where it is told to, before anything is changed for it."""

import errno
import socket

from latcast.schema import InputError

__all__ = ["check_port"]


def check_port(host: str, port: int) -> None:
    """Make sure that the service can listen there, before anything is changed for it.

    Raises:
        InputError: somebody else listens there, the address is not this machine's, or the port is not ours to take.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        raise InputError(_no_listening(host, port, error)) from error


def _no_listening(host: str, port: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return f"Port {port} of {host} is taken by another program or `latcast serve`: choose another with --port."
    if number == errno.EACCES:
        return f"Port {port} may not be opened by this user: choose one above 1023 with --port."
    if number == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror | UnicodeError):
        return f"{host!r} is no address of this machine: choose another with --host, for example 127.0.0.1."
    return f"Nobody can listen on port {port} of {host}: {error}."
