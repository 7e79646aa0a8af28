"""Which proxy counts for an address, by every form of the variables of the environment."""

import os

import pytest

from latcast import proxies
from latcast.proxies import proxy_for
from latcast.schema import InputError

FAR, PROXY = "http://far.example:8321", "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)


def test_without_variables_nothing_goes_through_a_proxy() -> None:
    assert proxy_for(FAR) is None


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_the_variables_name_the_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, PROXY)
    proxy = proxy_for(FAR)
    assert proxy is not None
    assert (proxy.url, str(proxy)) == (PROXY, f"the proxy {PROXY} of {variable}")
    assert (proxy_for("https://far.example") is None) == variable.lower().startswith("http")


def test_a_scheme_of_its_own_counts_before_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "foo://nobody.example")
    monkeypatch.setenv("HTTPS_PROXY", "secure.example:3128")
    proxy = proxy_for("https://far.example")
    assert proxy is not None
    assert proxy.url == "http://secure.example:3128"


def test_passwords_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@proxy.example:3128")
    proxy = proxy_for(FAR)
    assert proxy is not None
    assert "secret" in proxy.url
    assert "secret" not in f"{proxy} {proxy!r}"
    monkeypatch.setenv("HTTP_PROXY", "foo://user:secret@proxy.example")
    with pytest.raises(InputError) as caught:
        proxy_for(FAR)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "api.localhost", "127.0.0.1", "127.3.2.1", "127.1", "0.0.0.0", "[::1]",
     "[::ffff:127.0.0.1]"],
)  # fmt: skip
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_loopback_never_goes_through_a_proxy(host: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "foo://not even a proxy")
    assert proxy_for(f"http://{host}:8321") is None


@pytest.mark.parametrize(
    ("exempt", "address"),
    [
        ("*", FAR),
        ("far.example", FAR),
        (".example", FAR),
        ("*.example", FAR),
        ("other, far.example:8321", FAR),
        ("http://far.example", FAR),
        ("all://far.example", FAR),
        ("FAR.EXAMPLE.", FAR),
        ("192.168.0.0/24,::1", "http://192.168.0.7"),
        ("192.168.0.7:80", "http://192.168.0.7"),
        ("fd00::/8", "http://[fd00::7]:8321"),
        ("[fd00::]/8", "http://[fd00::7]:8321"),
        ("[fd00::7]:8321", "http://[fd00::7]:8321"),
    ],
)
def test_no_proxy_exempts(exempt: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    assert proxy_for(address) is not None
    monkeypatch.setenv("NO_PROXY", exempt)
    assert proxy_for(address) is None


@pytest.mark.parametrize(
    ("exempt", "address"),
    [
        ("", FAR),
        ("localhost", FAR),
        ("ar.example", FAR),
        ("far.example:80", FAR),
        ("https://far.example", FAR),
        ("192.168.0.0/24,::1", FAR),
        ("192.168.0.0/24", "http://192.168.1.7"),
        ("not/a/network", "http://192.168.1.7"),
    ],
)
def test_no_proxy_exempts_nothing_else(exempt: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", exempt)
    assert proxy_for(address) is not None


@pytest.mark.parametrize("url", ["foo://proxy.example:1", "://", "http://", "http://[::1", "http://proxy.example:port"])
def test_what_is_no_proxy_is_a_sentence(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", url)
    with pytest.raises(InputError, match=r"HTTP_PROXY names.*NO_PROXY=far.example"):
        proxy_for(FAR)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_says_what_to_install(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:9")
    monkeypatch.setattr(proxies, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"ALL_PROXY names a proxy of socks5.*pip install socksio"):
        proxy_for(FAR)
    monkeypatch.setattr(proxies, "find_spec", lambda _name: object())
    assert str(proxy_for(FAR)) == f"the proxy {scheme}://127.0.0.1:9 of ALL_PROXY"
