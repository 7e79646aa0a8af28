"""Ports and addresses that cannot be listened on: a sentence each, before anything is made."""

import socket
from pathlib import Path

import pytest

from latcast.schema import InputError
from service.cli.listening import check_port
from tests.service.cli.test_main import latcast


def test_a_free_port_passes_and_stays_free() -> None:
    check_port("127.0.0.1", 0)
    check_port("localhost", 0)


@pytest.mark.parametrize("host", ["300.1.1.1", "192.0.2.1", "no such host", "x" * 300])
def test_an_address_of_another_machine_is_named(host: str) -> None:
    with pytest.raises(InputError, match="no address of this machine"):
        check_port(host, 0)


def test_a_port_that_is_taken_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = latcast("serve", "--port", str(taken.getsockname()[1]), LATCAST_DATA_DIR=str(tmp_path / "d"))
    assert done.returncode == 1
    assert "is taken" in done.stderr
    assert "--port" in done.stderr
    assert not (tmp_path / "d").exists()
