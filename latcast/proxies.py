"""Which proxy a call to an address goes through, by the variables of the environment that every tool reads.

Loopback is never asked through a proxy: no proxy can reach what runs on this machine. `HTTP_PROXY`, `HTTPS_PROXY` and
`ALL_PROXY` name proxies; `NO_PROXY` lists what goes without one: names, which stand for what ends in them too,
addresses, networks such as `192.168.0.0/24`, each with a port or a scheme if need be, or `*`.
"""

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

from latcast.schema import InputError

__all__ = ["Proxy", "proxy_for"]

SCHEMES = ("http", "https", "socks5", "socks5h")
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that the environment names.

    Args:
        url: its address, with the user and password that it wants; never printed.
        variable: where it was named.
        shown: its address without user and password.
    """

    url: str = field(repr=False)
    variable: str
    shown: str

    def __str__(self) -> str:
        return f"the proxy {self.shown} of {self.variable}"


def proxy_for(address: str) -> Proxy | None:
    """The proxy through which an address is asked; None where it is asked directly.

    Args:
        address: a URL of http or https.

    Raises:
        InputError: the environment names a proxy that cannot be used, or the address is no URL.
    """
    to = _split(address, f"The address {address!r} cannot be used")
    scheme, host, proxies = to.scheme.lower(), to.hostname or "", getproxies()
    of = next((kind for kind in (scheme, "all") if proxies.get(kind)), None)
    if of is None or _is_loopback(host) or _is_exempt(to, proxies.get("no", "").split(",")):
        return None
    return _checked(proxies[of], _variable(of), host)


def _split(url: str, failing: str) -> SplitResult:
    """A URL's parts, whose host and port can be read."""
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{failing}: it is no URL.") from error
    return parts


def _checked(url: str, variable: str, host: str) -> Proxy:
    """A proxy that can be used; its user and password stay out of every message."""
    url = url if "://" in url else f"http://{url}"
    around = f"correct it, or set NO_PROXY={host} to go without a proxy"
    parts = _split(url, f"{variable} names a proxy that cannot be used ({around})")
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES or not parts.hostname:
        raise InputError(f"{variable} names no proxy of {', '.join(f'{kind}://' for kind in SCHEMES)}: {around}.")
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise InputError(
            f"{variable} names a proxy of {scheme}://, which needs 'socksio', which is not installed: "
            f"pip install socksio, or set NO_PROXY={host} to go without a proxy."
        )
    return Proxy(url, variable, f"{scheme}://{parts.netloc.rpartition('@')[2]}")


def _variable(kind: str) -> str:
    """The variable that names the proxies of a scheme, as it was written; the last one counts, as urllib reads it."""
    names = [name for name in os.environ if name.lower() == f"{kind}_proxy"]
    return min(names, key=str.isupper, default="the system's settings")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is written as, in short forms such as `127.1`, too; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return ip_address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    if address is None:
        name = host.rstrip(".").lower()
        return name == "localhost" or name.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address.is_loopback or address.is_unspecified or bool(mapped and mapped.is_loopback)


def _is_exempt(to: SplitResult, entries: Iterable[str]) -> bool:
    return any(_covers(entry.strip(), to) for entry in entries)


def _covers(entry: str, to: SplitResult) -> bool:
    """Whether an entry of NO_PROXY stands for an address; one that cannot be read stands for none."""
    if entry in {"", "*"}:
        return entry == "*"
    scheme, sign, rest = entry.rpartition("://")
    if sign and scheme.lower() not in {to.scheme.lower(), "all"}:
        return False
    host = (to.hostname or "").rstrip(".")
    name, port = _name_and_port(rest)
    if port is not None and port != (to.port or PORTS.get(to.scheme.lower())):
        return False
    return _covers_host(name, host)


def _covers_host(name: str, host: str) -> bool:
    address = _address(host)
    if address is not None:
        try:
            return address in ip_network(name, strict=False)
        except ValueError:
            return False
    name = name.lower().removeprefix("*").lstrip(".").rstrip(".")
    return bool(name) and (host.lower() == name or host.lower().endswith(f".{name}"))


def _name_and_port(entry: str) -> tuple[str, int | None]:
    """`host:8080` → `("host", 8080)`; an address of IPv6 has its port behind brackets."""
    if entry.startswith("["):
        inside, _, behind = entry[1:].partition("]")
        return inside + (behind if behind.startswith("/") else ""), _port(behind)
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, _port(f":{port}")
    return entry, None


def _port(text: str) -> int | None:
    return int(text[1:]) if text.startswith(":") and text[1:].isdecimal() else None
