"""Addresses are understood as people have them, and refused with one to copy where they are none."""

import pytest

from latcast import Client
from latcast.schema import InputError
from latcast.schema.addresses import service_address

PLAIN = "http://forecasts.example:8321"


@pytest.mark.parametrize(
    "written",
    [
        PLAIN, f"{PLAIN}/", f" {PLAIN}\n", f'"{PLAIN}"', f"'{PLAIN}'", "forecasts.example:8321", f"{PLAIN}/v1",
        f"{PLAIN}/v1/", f"{PLAIN}/docs", f"{PLAIN}/#/targets", f"{PLAIN}/?page=2", f"{PLAIN}/docs#/predict",
    ],
)  # fmt: skip
def test_one_service_is_meant_by_each(written: str) -> None:
    assert service_address(written) == PLAIN
    with Client(written) as client:
        assert client.base_url == PLAIN


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("127.0.0.1", "http://127.0.0.1"),
        ("[::1]:8321", "http://[::1]:8321"),
        ("localhost:8321", "http://localhost:8321"),
        ("https://proxy.example/latcast/", "https://proxy.example/latcast"),
        ("https://proxy.example/latcast/v1", "https://proxy.example/latcast"),
        ("http://user:word@host:1", "http://user:word@host:1"),
        ("HTTP://Host:1", "http://Host:1"),
    ],
)
def test_what_is_left_out_is_filled_in(written: str, meant: str) -> None:
    assert service_address(written) == meant


@pytest.mark.parametrize(
    "written", ["", "http://", "http:/host:1", "https:host", "ftp://host", "unix:///run/x", "http://host:notaport"]
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(InputError, match=r"cannot be used: (write it as http://127\.0\.0\.1:8321|it is no URL)"):
        service_address(written)
