"""How the dashboard looks where names are long, where there is little or nothing, and while the service fails."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from benchmarks.dashboard.seed import seed
from service.db import tables
from tests.web import long_names
from tests.web.conftest import Served, Tab
from tests.web.test_dashboard import VIEWS, address, loaded, until

OpenTab = Callable[..., Tab]
OVERFLOW = (Path(__file__).parent / "overflow.js").read_text()
WIDTHS = (360, 768, 1440)
LONG_ROWS, FEW_FAMILIES = 600, ("kernels/gemm",)
MORE_VIEWS = {
    "hidden rows": "/targets/{target}?hidden=1",
    "nothing found": "/targets/{target}?q=nothing-is-called-so",
    "forecast": "/networks/{graph}?source=forecast&colour=bound",
    "answer": "/try?graph={graph}",
    "predictor": "/predictors/{predictor}",
    "failed job": "/jobs/{failed}",
    "no page": "/nowhere",
}
LIES = ("None yet", "unadapted", "No job", "No target", "Nothing waits", "Nothing has been measured")
"""What is true only of what was asked and answered."""
OF_ONE = {"dataset", "measurement", "quality", "network", "device", "job", "frontier"}
"""Views of something that an empty service has not."""
AXES = (
    "[...document.querySelectorAll('svg .axis')]"
    ".map((axis) => [...axis.querySelectorAll('g text')].map((one) => one.textContent))"
)
UNAVAILABLE = "The database does not answer at the moment."


@pytest.fixture(scope="module")
def named_long(serve: Callable[..., Served]) -> Served:
    """A service whose names are as long as they may be."""
    return serve(filled=functools.partial(long_names.fill, measurements=LONG_ROWS))


@pytest.fixture(scope="module")
def with_one(serve: Callable[..., Served]) -> Served:
    """A service with one measurement."""
    return serve(filled=functools.partial(seed, measurements=1, graphs_per_family=1, families=FEW_FAMILIES))


@pytest.fixture(scope="module")
def without(serve: Callable[..., Served]) -> Served:
    """A service with nothing."""
    return serve(empty=True)


def place_of(served: Served, view: str) -> str:
    """Address of one of these views or the others, with what the database has."""
    if view in VIEWS:
        return address(served, view)
    job = select(tables.Job.id).where(tables.Job.state == "failed")
    with served.database.read() as session:
        failed, predictor = session.scalar(job), session.scalar(select(tables.Predictor.id))
        graph = session.scalar(select(tables.Measurement.graph_hash).where(tables.Measurement.id == 1))
    target = served.seeded.targets[0]
    return MORE_VIEWS[view].format(target=target, graph=graph, failed=failed, predictor=predictor)


def without_refusals(tab: Tab, *statuses: int) -> None:
    """Forget the lines that the browser itself writes of answers with these statuses."""
    tab.complaints[:] = [text for text in tab.complaints if not any(f"status of {one}" in text for one in statuses)]


def test_what_leaves_its_box_is_noticed(open_tab: OpenTab) -> None:
    page = open_tab("about:blank", width=360).page
    long = "x" * 200
    for inner, what in (
        (f"<div>{long}</div>", "the page is"),
        (f"<div style='width: 100px; overflow: hidden'><p style='width: 90px'>{long}</p></div>", "spills"),
        (f"<p style='width: 100px; overflow: hidden'>{long}</p>", "is cut and has no title"),
        ("<svg width=100 height=20><text x=90 y=10>far outside</text></svg>", "outside its chart"),
        ("<button style='position: relative; left: 355px'>Go</button>", "out of reach"),
    ):
        page.set_content(f"<main>{inner}</main>")
        assert what in "\n".join(page.evaluate(OVERFLOW)), what
    for inner in (
        f"<p title='{long}' style='width: 100px; overflow: hidden'>{long}</p>",
        f"<div style='overflow-x: auto'>{long}</div>",
    ):
        page.set_content(f"<main>{inner}</main>")
        assert page.evaluate(OVERFLOW) == []


@pytest.mark.slow
@pytest.mark.parametrize("view", [*VIEWS, *MORE_VIEWS])
def test_long_names_stay_in_their_boxes(named_long: Served, open_tab: OpenTab, view: str) -> None:
    tab = open_tab(named_long.at(place_of(named_long, view)))
    loaded(tab.page)
    for width in WIDTHS:
        tab.page.set_viewport_size({"width": width, "height": 900})
        loaded(tab.page)
        tab.page.wait_for_timeout(100)  # charts follow the width
        assert tab.page.evaluate(OVERFLOW) == [], width
    assert tab.page.locator("main b, main script").count() == 0, "a name was read as markup"
    without_refusals(tab, 404, 409)


def test_a_name_that_is_cut_is_read_with_the_keyboard(named_long: Served, open_tab: OpenTab) -> None:
    page = open_tab(named_long.at("/targets"), width=360).page
    loaded(page)
    link = page.locator("td a.cut").first
    is_cut = "element => element.scrollWidth > element.clientWidth"
    assert link.evaluate(is_cut)
    page.keyboard.press("Tab")
    link.focus()
    assert not link.evaluate(is_cut)


def hold_calls(page: Any) -> None:
    """Let no call be answered but that for the session."""

    def hold(route: Any) -> None:
        if route.request.url.endswith("/v1/session"):
            route.continue_()

    page.route("**/v1/**", hold)


def refuse_calls(page: Any) -> None:
    """Answer every call but that for the session as a service does whose database is away."""
    problem = {"type": "about:blank", "title": "Unavailable", "status": 503, "detail": UNAVAILABLE}

    def refuse(route: Any) -> None:
        if route.request.url.endswith("/v1/session"):
            route.continue_()
        else:
            route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(problem))

    page.route("**/v1/**", refuse)


@pytest.mark.slow
@pytest.mark.parametrize("view", sorted({*VIEWS} - {"try"}))
def test_a_view_says_what_it_loads_and_claims_nothing_meanwhile(served: Served, open_tab: OpenTab, view: str) -> None:
    page = open_tab(f"{served.url}/ui/index.html", width=360).page
    loaded(page)
    hold_calls(page)
    page.evaluate(f"location.hash = {json.dumps(address(served, view))}") if view != "overview" else page.reload()
    page.locator("main .skeleton:visible, main .card").first.wait_for()
    page.locator("h1").wait_for()
    until(page, "/Loading |Forecasting /.test(document.querySelector('main').innerText)")
    text = page.locator("main").inner_text()
    assert [lie for lie in LIES if lie in text] == []
    page.emulate_media(reduced_motion="reduce")
    moving = (
        "[...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).animationName !== 'none').length"
    )
    assert page.evaluate(moving) == 0
    page.unroute("**/v1/**")


@pytest.mark.slow
@pytest.mark.parametrize("view", sorted({*VIEWS} - {"try"}))
def test_a_view_says_that_the_service_failed_and_tries_again(served: Served, open_tab: OpenTab, view: str) -> None:
    tab = open_tab(f"{served.url}/ui/index.html")
    page = tab.page
    loaded(page)
    refuse_calls(page)
    page.goto("about:blank")
    page.goto(served.at(address(served, view)))
    page.get_by_role("alert").first.wait_for()
    page.locator("h1").wait_for()
    assert UNAVAILABLE in page.get_by_role("alert").first.inner_text()
    text = page.locator("main").inner_text()
    assert [lie for lie in LIES if lie in text] == []
    page.unroute("**/v1/**")
    page.get_by_role("button", name="Try again").first.click()  # one asks for all that failed
    until(page, f"!document.querySelector('main').innerText.includes({json.dumps(UNAVAILABLE)})")
    without_refusals(tab, 503)


@pytest.mark.slow
@pytest.mark.parametrize("view", sorted({*VIEWS} - OF_ONE))
def test_an_empty_service_has_no_view_that_waits_or_looks_broken(without: Served, open_tab: OpenTab, view: str) -> None:
    target = without.seeded.targets[0]
    place = VIEWS[view].format(target=target, graph="none").replace("?graph=none", "")
    tab = open_tab(without.at(place), width=360)
    loaded(tab.page)
    text = tab.page.locator("main").inner_text()
    assert "NaN" not in text
    assert "undefined" not in text
    assert [line for line in text.splitlines() if line.strip() in {".", ","}] == []
    assert tab.page.evaluate(OVERFLOW) == []
    without_refusals(tab, 404)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("/compare?what=predictors", "No target yet"),
        ("/compare", "There are not two targets yet"),
        ("/jobs", "No job yet"),
        ("/train", "nothing to learn from"),
        ("/targets", "latcast agent"),
        ("/targets/none", "There is no target 'none'"),
        ("/measurements/7", "There is no measurement 7"),
        ("/devices/none", "There is no device 'none'"),
        ("/networks/none", "There is no graph 'none'"),
        ("/nowhere", "Nothing stands at /nowhere"),
    ],
)
def test_an_empty_service_says_what_to_do_on_every_page(
    without: Served, open_tab: OpenTab, place: str, what: str
) -> None:
    tab = open_tab(without.at(place))
    tab.page.locator("h1").wait_for()
    tab.page.get_by_text(what).first.wait_for()
    without_refusals(tab, 404, 422)


@pytest.mark.slow
@pytest.mark.parametrize("view", [*VIEWS, "answer"])
def test_one_measurement_is_shown_as_many_are(with_one: Served, open_tab: OpenTab, view: str) -> None:
    tab = open_tab(with_one.at(place_of(with_one, view)))
    loaded(tab.page)
    tab.page.wait_for_timeout(100)
    text = tab.page.locator("main").inner_text()
    assert [odd for odd in ("NaN", "undefined", "Infinity", "−–", "1 networks") if odd in text] == []
    axes = tab.page.evaluate(AXES)
    assert [texts for texts in axes if len(set(texts)) < len(texts)] == []


NUMBERS = {
    "digits(9.996)": "10.0",
    "digits(99.97)": "100",
    "digits(999.7)": "1,000",
    "digits(0.09996)": "0.100",
    "digits(-12.345)": "-12.3",
    "digits(0)": "0",
    "ms(0.09996)": "100 µs",
    "ms(9.996)": "10.0 ms",
    "flops(999_700)": "1.00 MFLOP",
    "bytes(1024 ** 2)": "1.00 MiB",
    "bytes(1023.9 * 1024)": "1.00 MiB",
    "msLike(0.098)(0.1)": "100 µs",
    "msLike(12_000)(9000)": "9.00 s",
    "span(0.09, 0.12)": "0.0900–0.120 ms",
    "percent(0.1234)": "12.3 %",
    "signed(NaN)": "–",
    "signed(-0.05)": "−5.0 %",
    "metric('median_ape', 0.12345)": "12.3 %",
    "metric('adapt_ms', 1234.5)": "1,235 ms",
    "metric('targets', 12)": "12",
    "counted(1, 'network')": "1 network",
    "counted(1200, 'network')": "1,200 networks",
}


def test_numbers_have_one_rounding(without: Served, open_tab: OpenTab) -> None:
    page = open_tab(without.at("/")).page
    loaded(page)
    names = ", ".join(sorted({call.split("(")[0] for call in NUMBERS}))
    made = page.evaluate(
        f"async () => {{ const {{ {names} }} = await import('./src/format.js'); return [{', '.join(NUMBERS)}]; }}"
    )
    assert dict(zip(NUMBERS, made, strict=True)) == NUMBERS


def test_every_logarithmic_axis_has_two_ticks(without: Served, open_tab: OpenTab) -> None:
    page = open_tab(without.at("/")).page
    loaded(page)
    domains = [(low, low * factor) for low in (0.0021, 0.07, 0.32, 1.0, 77.0) for factor in (1.25, 2.6, 9, 150, 4e4)]
    few = page.evaluate(
        """async (domains) => {
          const { scale } = await import('./src/charts/plot.js');
          const asked = domains.flatMap((domain) => [2, 3, 6].map((most) => [domain, most]));
          const ticks = ([domain, most]) => scale(domain, [0, 300], true).ticks(most);
          const outside = ([low, high], tick) => tick < low * 0.999 || tick > high * 1.001;
          const odd = (one) => ticks(one).length < 2 || ticks(one).some((tick) => outside(one[0], tick));
          return asked.filter(odd);
        }""",
        domains,
    )
    assert few == []


def test_a_name_is_changed_with_the_keyboard_alone(with_one: Served, open_tab: OpenTab) -> None:
    page = open_tab(with_one.at(address(with_one, "device"))).page
    loaded(page)
    focused = "document.activeElement.innerText || document.activeElement.name"
    page.get_by_role("button", name="Rename").focus()
    page.keyboard.press("Enter")
    until(page, f"({focused}) === 'name'")
    page.keyboard.press("Escape")
    until(page, f"({focused}) === 'Rename'")
    assert page.get_by_label("Name", exact=True).count() == 0
    page.keyboard.press("Enter")
    until(page, f"({focused}) === 'name'")
    page.keyboard.type("the machine by the window")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="the machine by the window").wait_for()
    until(page, f"({focused}) === 'Rename'")


def test_a_token_gives_the_keyboard_back(without: Served, open_tab: OpenTab) -> None:
    page = open_tab(without.at("/")).page
    loaded(page)
    page.get_by_role("button", name="Add a device").focus()
    page.keyboard.press("Enter")
    page.get_by_text("latcast agent --server").wait_for()
    page.get_by_role("button", name="Done").focus()
    page.keyboard.press("Enter")
    until(page, "document.activeElement.innerText === 'Add a device'")


@pytest.mark.slow
def test_an_export_that_fails_says_so(served: Served, open_tab: OpenTab) -> None:
    tab = open_tab(served.at(address(served, "dataset")))
    loaded(tab.page)
    refuse_calls(tab.page)
    tab.page.get_by_role("button", name="CSV").click()
    tab.page.get_by_role("alert").filter(has_text=UNAVAILABLE).wait_for()
    tab.page.unroute("**/v1/**")
    without_refusals(tab, 503)
