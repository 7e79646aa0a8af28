"""Who a connection's caller is, as far as its address tells."""

import ipaddress
from collections.abc import Callable
from functools import lru_cache

__all__ = ["caller_at", "proxies_of"]

HOST_PREFIX = 64
"""Bits of an IPv6 address that tell networks apart; the others are the host's own to choose."""


@lru_cache(10_000)
def caller_at(host: str) -> str:
    """What limits count for an address: the address itself, of IPv6 its network, in which a host has all it likes."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a name, as a proxy or a test gives one
        return host
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), HOST_PREFIX), strict=False))


def proxies_of(names: str) -> Callable[[str], bool]:
    """Whether an address is one of the proxies in the setting `forwarded_allow_ips`.

    Args:
        names: addresses and networks, separated by commas; `*` is every address.
    """
    listed = {name.strip() for name in names.split(",") if name.strip()}
    networks = [network for network in map(_network, listed) if network is not None]

    def is_proxy(host: str) -> bool:
        if host in listed or "*" in listed:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return is_proxy


def _network(name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(name, strict=False)
    except ValueError:
        return None
