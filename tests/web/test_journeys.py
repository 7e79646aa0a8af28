"""Whole ways through the dashboard over real processes: a service, an agent that measures, a worker that trains."""

import csv
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.dashboard.seed import seed
from service.cli.demo.processes import end, free_port, running, wait_for
from service.db.session import Database, create_engine_for, upgrade
from service.fleet import access
from service.settings import Settings
from tests.web.conftest import Tab
from tests.web.test_dashboard import loaded, until

OpenTab = Callable[..., Tab]
SAMPLES = 2
SEEDED = 300
FAMILIES = ("kernels/gemm", "kernels/unary", "kernels/softmax")
LONGEST_MS = 300_000
"""Work that takes seconds may take minutes beside others."""
pytestmark = pytest.mark.slow


@dataclass
class Process:
    """A service that runs by itself.

    Args:
        url: where.
        folder: its data, logs and the agent's state.
        stack: what ends with the module.
        admin: key that may all.
        port: it listens on.
        process: the one that runs now.
    """

    url: str
    folder: Path
    stack: ExitStack
    admin: str
    port: int
    process: Any = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self.folder / "serve.log"
        environment = {"LATCAST_DATA_DIR": str(self.folder), "LATCAST_RATE_PER_SECOND": "0"}
        arguments = ["serve", "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = self.stack.enter_context(running(arguments, log=log, environment=environment))
        wait_for(lambda: _answers(self.url), process=self.process, log=log, what="The service")

    def stop(self) -> None:
        """End it, as a crash or an upgrade does."""
        end(self.process)

    def at(self, place: str) -> str:
        """Address of a view."""
        return f"{self.url}/ui/#{place}"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310 - our own loopback
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A service with keys and a few measurements, as a process."""
    folder = tmp_path_factory.mktemp("journeys")
    settings = Settings(data_dir=folder)
    engine = create_engine_for(settings)
    upgrade(engine)
    database = Database(engine)
    seed(database, measurements=SEEDED, graphs_per_family=4, families=FAMILIES)
    with database.write.begin() as session:
        _, admin = access.create_key(session, scope="admin", name="tests")
    database.close()
    port = free_port()
    with ExitStack() as stack:
        made = Process(f"http://127.0.0.1:{port}", folder, stack, admin, port)
        made.start()
        yield made


def signed_in(service: Process, open_tab: OpenTab, place: str = "/") -> Tab:
    """A page of an admin."""
    tab = open_tab(service.at(place))
    tab.page.set_default_timeout(LONGEST_MS)
    tab.page.get_by_label("Key").fill(service.admin)
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.get_by_label("Key").wait_for(state="detached")
    loaded(tab.page)
    return tab


def test_a_wrong_key_is_refused_and_a_right_one_lets_in(service: Process, open_tab: OpenTab) -> None:
    tab = open_tab(service.at("/"))
    page = tab.page
    page.get_by_label("Key").fill("latcast_wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("heading", name="Overview").count() == 0
    page.get_by_label("Key").fill(service.admin)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Overview").wait_for()
    tab.complaints[:] = [text for text in tab.complaints if "401" not in text]  # the browser's own line


def test_a_device_is_enrolled_adapted_to_forecast_and_exported(service: Process, open_tab: OpenTab) -> None:
    page = signed_in(service, open_tab).page
    page.get_by_role("button", name="Add a device").click()
    command = page.locator("pre.code").inner_text().split()
    token = command[command.index("--token") + 1]
    arguments = ["agent", "--server", service.url, "--token", token, "--state", str(service.folder / "agent")]
    arguments += ["--name", "this-machine", "--microbench", "never"]
    log = service.folder / "agent.log"
    service.stack.enter_context(running(arguments, log=log))

    page.get_by_role("link", name="this-machine").click()
    page.get_by_text("called just now").wait_for()
    page.get_by_role("table", name="Targets of the device").get_by_role("link").first.click()
    page.get_by_role("link", name="Adapt", exact=True).click()
    page.get_by_label("Networks to measure").fill(str(SAMPLES))
    page.get_by_label("Who chooses them").select_option("random")
    page.get_by_label("Out of which").select_option("nasbench201")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="Networks that were chosen").wait_for()
    page.get_by_role("link", name="Forecast a network").wait_for()
    assert page.get_by_text("none failed").is_visible()
    page.get_by_role("link", name="See the forecast quality").click()
    loaded(page)
    page.get_by_role("heading", name="Contenders").wait_for()
    page.get_by_role("link", name="Dataset", exact=True).click()
    loaded(page)
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(Path(saved.value.path()).read_text().splitlines()))
    assert len(rows) == SAMPLES
    assert {row["space"] for row in rows} == {"nasbench201"}
    assert all(float(row["median_ms"]) > 0 for row in rows)

    page.goto(service.at("/try"))
    loaded(page)
    page.get_by_label("Search space").select_option("nasbench201")
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_role("table", name="Forecasts on every target").wait_for()
    row = page.get_by_role("row").filter(has_text="this-machine")
    assert row.get_by_text("adapted").is_visible()
    assert row.get_by_text("ms").first.is_visible()


def test_a_predictor_is_trained_activated_and_compared(service: Process, open_tab: OpenTab) -> None:
    page = signed_in(service, open_tab, "/train").page
    page.get_by_label("Kind").select_option("flops")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("link", name="See the predictor").click()
    page.get_by_text("not active").wait_for()
    page.get_by_role("button", name="Activate").click()
    page.get_by_role("button", name="Deactivate").wait_for()
    page.get_by_role("heading", name="Model card").wait_for()
    page.goto(service.at("/train"))
    loaded(page)
    assert page.get_by_role("table", name="Predictors").get_by_text("active", exact=True).is_visible()
    page.goto(service.at("/compare?what=predictors"))
    page.get_by_text("Same order").wait_for()
    assert page.get_by_role("table", name="Networks that the two predictors rank most differently").is_visible()


def test_a_service_that_goes_away_and_comes_back_is_noticed(service: Process, open_tab: OpenTab) -> None:
    tab = signed_in(service, open_tab, "/targets")
    page = tab.page
    service.stop()
    page.get_by_role("link", name="Overview").click()
    page.get_by_text("The service does not answer").wait_for()
    service.start()
    until(page, "!document.body.innerText.includes('does not answer')")
    page.get_by_role("heading", name="Overview").wait_for()
    loaded(page)
    expected = ("ERR_CONNECTION", "dynamically imported", "ERR_EMPTY", "ERR_INCOMPLETE")
    tab.complaints[:] = [text for text in tab.complaints if not any(one in text for one in expected)]
