"""Callers by their addresses: a network of IPv6 counts once, and proxies are those that were named."""

import pytest

from service.api.door.callers import caller_at, proxies_of


@pytest.mark.parametrize(
    ("host", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_limits_count_an_address_or_its_network(host: str, caller: str) -> None:
    assert caller_at(host) == caller


@pytest.mark.parametrize(
    ("names", "proxies", "others"),
    [
        ("", [], ["127.0.0.1", ""]),
        ("127.0.0.1, 10.1.0.0/16", ["127.0.0.1", "10.1.2.3"], ["10.2.0.1", "::1", "nonsense"]),
        ("fd00::/8", ["fd12::1"], ["fe80::1", "10.0.0.1"]),
        ("*", ["192.0.2.1", ""], []),
    ],
)
def test_proxies_are_those_of_the_setting(names: str, proxies: list[str], others: list[str]) -> None:
    is_proxy = proxies_of(names)
    assert all(map(is_proxy, proxies))
    assert not any(map(is_proxy, others))
