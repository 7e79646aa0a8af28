"""The services that the corpus is thrown at, one without and one with keys; whoever was killed is started again."""

from collections.abc import Iterator

import pytest

from tests.hostile.served import Served


@pytest.fixture(scope="session")
def open_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("open")) as served:
        yield served


@pytest.fixture(scope="session")
def keyed_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("keyed"), keys=True) as served:
        yield served


@pytest.fixture
def served(open_service: Served) -> Served:
    """A service without keys."""
    return alive(open_service)


@pytest.fixture
def keyed(keyed_service: Served) -> Served:
    """A service with keys, of which `client` has an admin's."""
    return alive(keyed_service)


def alive(served: Served) -> Served:
    if not served.is_alive:
        served.stop()
        served.start()
    return served
