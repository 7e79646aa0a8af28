"""Pages of the dashboard: what they show, that they are accessible, and the ways through them."""

import csv
import gzip
import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper
from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from latcast.client import Client
from latcast.schema import JobState
from service.db import tables
from service.db.records import target_record as record_of
from service.fleet import access
from tests.web.conftest import WAIT_MS, Served, Tab

OpenTab = Callable[..., Tab]
AXE = "(async () => (await axe.run(document, {resultTypes: ['violations']})).violations)()"
MOST_SCRIPT_BYTES = 60_000
"""Of the first page with all that it loads, compressed."""
SERIOUS = {"serious", "critical"}
MOST_SHIFT = 0.1
"""What Web Vitals call good."""
SHIFT = """() => new Promise((resolve) => {
  const moved = [];
  const named = ({ node, previousRect, currentRect }) =>
    `${node?.nodeName} ${node?.className} ${JSON.stringify([previousRect, currentRect])}`;
  const add = (list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) moved.push([one.value, ...one.sources.map(named)]);
  };
  new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(moved), 100);
})"""
CHARTS = (
    "[...document.querySelectorAll('main [role=img], main canvas')]"
    ".filter((one) => !one.matches('[aria-hidden]')).map((one) => one.getAttribute('aria-label') ?? '')"
)
CALLS = {
    "overview": 1, "targets": 3, "dataset": 3, "measurement": 1, "quality": 3, "try": 4, "network": 5, "device": 1,
    "jobs": 1, "job": 3, "adapt": 2, "compare": 2, "predictors": 6, "train": 3, "frontier": 2,
}  # fmt: skip
"""Calls of a view at most, beside that for the session: one for each part of it, and none for each row of a list."""
VIEWS = {
    "overview": "/",
    "targets": "/targets?hidden=1",
    "dataset": "/targets/{target}",
    "measurement": "/measurements/1",
    "quality": "/targets/{target}/quality",
    "try": "/try?graph={graph}",
    "network": "/networks/{graph}?measurement=1",
    "device": "/devices/{device}",
    "jobs": "/jobs",
    "job": "/jobs/{job}",
    "adapt": "/targets/{target}/adapt",
    "compare": "/compare",
    "predictors": "/compare?what=predictors",
    "train": "/train",
    "frontier": "/targets/{target}/frontier",
}


def address(served: Served, view: str) -> str:
    """Of a view, with what the database has."""
    with served.database.read() as session:
        device, job = session.scalar(select(tables.Device.id)), session.scalar(select(tables.Job.id))
        graph = session.scalar(select(tables.Measurement.graph_hash).where(tables.Measurement.id == 1))
    return VIEWS[view].format(target=served.seeded.targets[0], graph=graph, device=device, job=job)


def serious(page: Any) -> list[str]:
    """What axe finds serious, a line each."""
    axe_playwright_python = pytest.importorskip("axe_playwright_python")
    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text())
    return [
        f"{found['id']}: {found['help']}: {found['nodes'][0]['html']}"
        for found in page.evaluate(AXE)
        if found["impact"] in SERIOUS
    ]


def until(page: Any, expression: str) -> None:
    """Wait until an expression holds; Playwright's own way makes the page evaluate a text, which its policy forbids."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not _holds(page, expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(20)


def _holds(page: Any, expression: str) -> bool:
    """Whether an expression holds; not while the page is being replaced by another."""
    from playwright.sync_api import Error

    try:
        return bool(page.evaluate(expression))
    except Error as error:
        if "Execution context was destroyed" not in str(error):
            raise
        return False


def loaded(page: Any) -> None:
    """Wait until nothing is loading any more."""
    page.wait_for_selector("h1")
    until(page, "!document.querySelector('.skeleton, [aria-busy=true], .dim')")


def shift(page: Any) -> tuple[float, list[Any]]:
    """How far the page has moved under its reader since it was opened (Cumulative Layout Shift), and what did."""
    moved: list[Any] = page.evaluate(SHIFT)
    return sum(value for value, *_ in moved), moved


def test_layout_shifts_are_noticed(open_tab: OpenTab) -> None:
    page = open_tab("about:blank").page
    page.set_content("<div id=a></div><p style='height: 300px; background: red'>text</p>")
    page.wait_for_timeout(200)
    page.evaluate("document.getElementById('a').style.height = '400px'")
    page.wait_for_timeout(200)
    assert shift(page)[0] > MOST_SHIFT


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_views_are_accessible_and_fit_and_stay_where_they_are(served: Served, open_tab: OpenTab, view: str) -> None:
    tab = open_tab(f"{served.url}/ui/index.html")
    page = tab.page
    loaded(page)
    calls: list[str] = []
    page.on("request", lambda request: "/v1/" in request.url and calls.append(request.url))
    page.goto("about:blank")
    page.goto(served.at(address(served, view)))
    loaded(page)
    asked = [url for url in calls if not url.endswith("/v1/session")]
    assert len(asked) <= CALLS[view], asked
    moved, by = shift(page)
    assert moved <= MOST_SHIFT, by
    assert [label for label in page.evaluate(CHARTS) if not any(map(str.isdigit, label))] == []
    for scheme, width in (("light", 1280), ("dark", 360)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        loaded(page)
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the screen"


def test_a_network_is_explained_on_one_target_however_late_its_measurement_comes(
    served: Served, open_tab: OpenTab
) -> None:
    page = open_tab(f"{served.url}/ui/index.html").page
    calls: list[str] = []
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.on("request", lambda request: "/explain" in request.url and calls.append(request.url))
    page.route("**/v1/measurements/1", hold)
    with page.expect_response(lambda answer: "/v1/targets?" in answer.url):
        page.goto(served.at(address(served, "network")))
    until(page, "document.querySelector('.graph svg, .graph canvas')")
    assert calls == []
    held[0].continue_()
    page.get_by_text("Coloured by time").wait_for(state="attached")
    loaded(page)
    until(page, "document.querySelector('table')")
    assert len(calls) == 1, calls
    moved, by = shift(page)
    assert moved <= MOST_SHIFT, by


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_views_stay_where_they_are_whichever_call_is_answered_last(
    served: Served, open_tab: OpenTab, view: str
) -> None:
    page = open_tab(f"{served.url}/ui/index.html").page
    loaded(page)
    place, calls, waiting = served.at(address(served, view)), list[str](), set[Any]()
    page.on("request", lambda request: _is_answered(request) and (calls.append(_call(request)), waiting.add(request)))

    def is_answered(request: Any) -> None:  # Playwright looks into its listeners, which builtins do not stand
        waiting.discard(request)

    for end in ("requestfinished", "requestfailed"):
        page.on(end, is_answered)
    page.goto("about:blank")
    page.goto(place)
    loaded(page)
    for late in sorted(set(calls)):
        page.goto("about:blank")
        held = _hold(page, late)
        calls.clear()
        page.goto(place)
        deadline = time.monotonic() + WAIT_MS / 1000
        while not held or waiting - {held[0].request}:
            assert time.monotonic() < deadline, (late, [request.url for request in waiting])
            page.wait_for_timeout(20)
        page.wait_for_timeout(200)  # what the others' answers brought is drawn
        held[0].continue_()
        until(
            page,
            f"performance.getEntriesByType('resource').some(one => one.name === {json.dumps(held[0].request.url)})",
        )
        loaded(page)
        page.unroute("**/v1/**")
        asked = [call for call in calls if not call.endswith("/v1/session")]
        assert len(asked) <= CALLS[view], (late, asked)
        moved, by = shift(page)
        assert moved <= MOST_SHIFT, (late, by)


def _hold(page: Any, late: str) -> list[Any]:
    """Hold a call back, the first time that it is made; what is held stands in the list."""
    held: list[Any] = []

    def take(route: Any) -> None:
        if not held and _call(route.request) == late:
            held.append(route)
        else:
            route.continue_()

    page.route("**/v1/**", take)
    return held


def _is_answered(request: Any) -> bool:
    """Whether it is a call that ends, which a stream of events does not."""
    return "/v1/" in request.url and not request.url.endswith("/events")


def _call(request: Any) -> str:
    """A call as it stands for itself whenever it is made."""
    return f"{request.method} {request.url}"


def test_an_empty_service_says_what_to_do(serve: Callable[..., Served], open_tab: OpenTab) -> None:
    page = open_tab(serve(empty=True).at("/")).page
    loaded(page)
    assert page.get_by_text("latcast agent").first.is_visible()
    assert page.get_by_text("Nothing waits").is_visible()


def test_targets_are_searched_sorted_and_the_way_back_is_the_way_there(served: Served, open_tab: OpenTab) -> None:
    page = open_tab(served.at("/targets")).page
    loaded(page)
    rows = page.locator("tbody tr").count()
    page.get_by_role("searchbox").fill("openvino")
    until(page, f"document.querySelectorAll('tbody tr').length < {rows}")
    page.get_by_role("button", name="Target", exact=True).click()
    assert "sort=-label" in page.url
    page.go_back()
    until(page, "!location.hash.includes('sort=')")
    assert "q=openvino" in page.url


@pytest.mark.slow
def test_signing_in_with_a_key(serve: Callable[..., Served], open_tab: OpenTab) -> None:
    service = serve(require_keys=True)
    with service.database.write.begin() as session:
        access.create_key(session, scope="admin", name="first")
        _, secret = access.create_key(session, scope="client", name="tests")
    tab = open_tab(service.at("/targets"))
    page = tab.page
    page.get_by_label("Key").fill("latcast_wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    assert "unknown or was revoked" in page.get_by_role("alert").inner_text()
    page.get_by_label("Key").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Targets").wait_for()
    loaded(page)
    assert secret not in page.url
    assert secret not in page.evaluate("JSON.stringify(localStorage) + document.cookie")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Key").wait_for()
    assert page.evaluate("sessionStorage.length") == 0
    refused = [text for text in tab.complaints if "401" in text]
    tab.complaints[:] = [text for text in tab.complaints if text not in refused]  # the browser's own line


def test_pages_come_from_their_own_origin_alone(served: Served, open_tab: OpenTab) -> None:
    asked: list[str] = []
    tab = open_tab(f"{served.url}/ui/index.html")
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.page.goto(served.at("/"))
    tab.page.reload()
    loaded(tab.page)
    assert asked
    assert [url for url in asked if not url.startswith(f"{served.url}/")] == []


@pytest.mark.slow
def test_a_dataset_is_filtered_by_charts_and_fields(served: Served, open_tab: OpenTab) -> None:
    page = open_tab(served.at(address(served, "dataset"))).page
    loaded(page)
    everything = page.get_by_role("status").inner_text()
    page.get_by_role("button", name="zoo/mobile", exact=True).click()
    page.get_by_role("button", name="Remove the filter zoo/mobile").wait_for()
    loaded(page)
    assert page.get_by_role("status").inner_text() != everything
    page.get_by_role("button", name="Latency").click()
    loaded(page)
    cells = page.locator("tbody tr td:nth-child(2)").all_inner_texts()
    assert cells
    assert all(text.startswith("mobile/") for text in cells)
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    lines = Path(saved.value.path()).read_text().splitlines()
    assert len(lines) - 1 == int(page.get_by_role("status").inner_text().split()[0].replace(",", ""))
    page.go_back()
    page.go_back()
    loaded(page)
    assert page.get_by_role("status").inner_text() == everything


@pytest.mark.slow
def test_a_dataset_is_filtered_by_source_and_by_typed_ranges(served: Served, open_tab: OpenTab) -> None:
    page = open_tab(served.at(address(served, "dataset"))).page
    loaded(page)
    everything = page.get_by_role("status").inner_text()
    page.get_by_role("combobox", name="Source", exact=True).select_option(index=1)
    chip = page.locator("button.chip")
    chip.wait_for()
    loaded(page)
    assert "source=" in page.url
    assert " …" in chip.inner_text()
    of_source = page.get_by_role("status").inner_text()
    assert of_source != everything
    assert len(set(page.locator("tbody tr td:nth-child(7)").all_inner_texts())) == 1
    page.get_by_role("button", name="Ranges").click()
    page.get_by_label("Latency, from").fill("0.5")
    page.get_by_label("Time, to").fill("2100-01-01T00:00")
    page.get_by_role("button", name="Filter", exact=True).click()
    loaded(page)
    assert "ms_min=0.5" in page.url
    assert "created_max=41" in page.url
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(Path(saved.value.path()).read_text().splitlines()))
    assert f"{len(rows):,} of" in page.get_by_role("status").inner_text()
    assert len({row["agent"] for row in rows}) == 1
    assert all(float(row["median_ms"]) >= 0.5 for row in rows)
    page.go_back()
    loaded(page)
    assert page.get_by_role("status").inner_text() == of_source


@pytest.mark.slow
def test_operators_of_two_targets_are_compared(served: Served, open_tab: OpenTab) -> None:
    kernels, others = aliased(tables.Measurement), aliased(tables.Measurement)
    pairs = select(kernels.target_id, others.target_id).where(
        kernels.with_kernels, others.with_kernels, kernels.graph_hash == others.graph_hash,
        kernels.target_id != others.target_id,
    )  # fmt: skip
    with served.database.read() as session:
        most = pairs.group_by(kernels.target_id, others.target_id).order_by(func.count().desc()).limit(1)
        a, b = session.execute(most).one()
    page = open_tab(served.at(f"/compare?a={a}&b={b}")).page
    loaded(page)
    rows = page.get_by_role("table", name="Operators on both targets").locator("tbody tr")
    assert rows.count() >= 2
    for column in (3, 4):
        assert all(text.startswith("×") for text in rows.locator(f"td:nth-child({column + 1})").all_inner_texts())


FOCUS = """() => {
  const one = document.activeElement;
  const ring = one.id === "main" ? one.querySelector("h1") : one;
  const style = ring && getComputedStyle(ring);
  const label = one.labels?.[0]?.innerText ?? "";
  return {
    name: (one.getAttribute("aria-label") ?? (one.innerText || label)).trim(),
    visible: !!style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
  };
}"""
MOST_STOPS = 120


def tab_to(page: Any, name: str) -> None:
    """Press Tab until what has this name has the keyboard; each stop on the way can be seen."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUS)
        assert at["visible"], f"nothing shows that {at['name']!r} has the keyboard"
        if at["name"].startswith(name):
            return
    pytest.fail(f"the keyboard never came to {name!r}")


@pytest.mark.slow
def test_the_keyboard_alone_leads_from_the_sign_in_to_a_forecast(
    serve: Callable[..., Served], open_tab: OpenTab
) -> None:
    service = serve(require_keys=True)
    with service.database.write.begin() as session:
        _, secret = access.create_key(session, scope="admin", name="first")
        row = session.scalars(select(tables.Target).where(tables.Target.id == service.seeded.targets[0])).one()
        label = record_of(row).label
    page = open_tab(service.at("/targets")).page
    page.get_by_label("Key").wait_for()
    page.keyboard.type(secret)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Targets").wait_for()
    loaded(page)
    until(page, "document.activeElement.id === 'main'")
    assert page.evaluate(FOCUS)["visible"]
    tab_to(page, label)
    page.keyboard.press("Enter")
    page.get_by_role("table", name="Measurements").wait_for()
    loaded(page)
    tab_to(page, "Ranges")
    page.keyboard.press("Enter")
    tab_to(page, "Latency, from")
    page.keyboard.type("0.001")
    page.keyboard.press("Enter")
    until(page, "location.hash.includes('ms_min=0.001')")
    loaded(page)
    assert page.evaluate(FOCUS)["name"] == "Latency, from", "the keyboard stays where it filtered"
    page.keyboard.press("Escape")
    assert page.evaluate(FOCUS)["name"] == "Ranges"
    assert page.get_by_label("Latency, from").count() == 0
    first = page.locator("tbody tr td a").first.inner_text()
    tab_to(page, first)
    at = page.evaluate("document.activeElement.getAttribute('href')")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Measurement").wait_for()
    loaded(page)
    tab_to(page, "Show the network")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Network").wait_for()
    loaded(page)
    tab_to(page, "The network, ")
    page.keyboard.press("+")
    page.keyboard.press("ArrowDown")
    page.go_back()
    until(page, "document.activeElement.innerText === 'Show the network'")
    page.go_back()
    until(page, f"document.activeElement.getAttribute('href') === '{at}'")
    assert page.evaluate(FOCUS)["visible"]
    page.keyboard.press("Shift+Tab")
    page.get_by_role("link", name="Try it").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Try it").wait_for()
    loaded(page)
    tab_to(page, "Forecast")
    page.keyboard.press("Enter")
    page.get_by_role("table", name="Forecasts on every target").wait_for()


def test_a_question_gives_the_keyboard_back(served: Served, open_tab: OpenTab) -> None:
    page = open_tab(served.at(address(served, "measurement"))).page
    loaded(page)
    page.get_by_role("button", name="Hide", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("group", name="Hide it?").wait_for()
    page.keyboard.press("Escape")
    until(page, "document.activeElement.innerText === 'Hide'")


@pytest.mark.slow
def test_a_measurement_is_hidden_and_shown_again(serve: Callable[..., Served], open_tab: OpenTab) -> None:
    service = serve()
    page = open_tab(service.at(address(service, "measurement"))).page
    loaded(page)
    page.get_by_role("button", name="Hide", exact=True).click()
    page.get_by_role("group", name="Hide it?").get_by_role("button", name="No").click()
    page.get_by_role("button", name="Hide", exact=True).click()
    page.get_by_role("group", name="Hide it?").get_by_role("button", name="Hide").click()
    page.get_by_role("button", name="Show again").wait_for()
    with service.database.read() as session:
        assert session.scalar(select(tables.Measurement.id).where(tables.Measurement.id == 1)) is None
    page.get_by_role("link", name="Dataset").click()
    page.get_by_role("button", name="Hidden rows").click()
    page.get_by_role("table", name="Hidden measurements").get_by_role("button", name="Show again").click()
    page.get_by_text("Nothing is hidden").wait_for()
    with service.database.read() as session:
        assert session.scalar(select(tables.Measurement.id).where(tables.Measurement.id == 1)) == 1


@pytest.mark.slow
def test_a_target_is_hidden_and_brought_back(serve: Callable[..., Served], open_tab: OpenTab) -> None:
    service = serve()
    page = open_tab(service.at(address(service, "dataset"))).page
    loaded(page)
    page.get_by_role("button", name="Hide target").click()
    page.get_by_role("group").get_by_role("button", name="Hide target").click()
    page.get_by_role("heading", name="Hidden targets").wait_for()
    page.get_by_role("button", name="Show again").click()
    page.get_by_role("group", name="Bring it back?").get_by_role("button", name="Show again").click()
    page.get_by_text("No target is hidden").wait_for()
    with service.database.read() as session:
        assert session.get(tables.Target, service.seeded.targets[0]) is not None


@pytest.mark.slow
def test_quality_shows_what_was_over_time_and_who_contends(serve: Callable[..., Served], open_tab: OpenTab) -> None:
    service = serve()
    with service.database.write.begin() as session:
        rows = session.execute(
            select(tables.Measurement.id, tables.Measurement.median_ms)
            .where(tables.Measurement.target_id == service.seeded.targets[0], tables.Measurement.median_ms.is_not(None))
            .limit(60)
        ).all()
        made = {"target_id": service.seeded.targets[0], "predictor": "", "kind": "flops", "space": "", "adapted": True}
        for row in rows:
            score = {"measurement_id": row.id, "measured_ms": row.median_ms, "forecast_ms": 2 * row.median_ms}
            session.add(tables.Score(**made, **score, half_width=0.1, interval_scale=1.0, sentinel_ms=None))
    page = open_tab(service.at(address(service, "quality"))).page
    loaded(page)
    assert page.get_by_text("they are too narrow").is_visible()
    assert page.get_by_text("60 forecasts that were measured later").is_visible()
    assert page.get_by_role("heading", name="Median error by operator").is_visible()
    page.get_by_role("table", name="Contenders for graphs").wait_for()


@pytest.mark.slow
def test_nodes_are_coloured_by_what_bounds_them(served: Served, open_tab: OpenTab) -> None:
    page = open_tab(served.at(address(served, "network"))).page
    loaded(page)
    page.get_by_label("Nodes are coloured by").select_option("bound")
    page.get_by_text("bound by compute").wait_for()
    assert "colour=bound" in page.url


@pytest.mark.slow
def test_what_is_loaded_at_first_is_small(served: Served, open_tab: OpenTab) -> None:
    tab = open_tab(f"{served.url}/ui/index.html")
    loaded(tab.page)
    names = tab.page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
    scripts = {name.split("?")[0] for name in names if ".js" in name}
    assert len(scripts) > 5
    sizes = [len(gzip.compress(urllib.request.urlopen(name).read())) for name in scripts]  # noqa: S310 - loopback
    assert sum(sizes) <= MOST_SCRIPT_BYTES


@pytest.mark.slow
def test_a_network_is_drawn_with_times_searched_and_exported(served: Served, open_tab: OpenTab) -> None:
    page = open_tab(served.at(address(served, "network"))).page
    loaded(page)
    page.get_by_text("together").wait_for()
    page.locator("table td button").first.click()
    page.get_by_text("Share of time").wait_for()
    page.get_by_role("searchbox").fill(page.locator(".graph > .stack h2").first.inner_text())
    page.get_by_text("1 node matches").wait_for()
    assert page.get_by_text("Share of time").is_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Trace").click()
    trace = json.loads(Path(saved.value.path()).read_text())
    assert {event["ph"] for event in trace["traceEvents"]} == {"X"}
    page.get_by_label("Times").select_option("forecast")
    loaded(page)
    page.get_by_role("columnheader", name="Bound by").wait_for()


@pytest.mark.slow
def test_two_targets_stand_side_by_side(served: Served, open_tab: OpenTab) -> None:
    page = open_tab(served.at(address(served, "network") + "&source=forecast")).page
    loaded(page)
    page.get_by_text("together").wait_for()
    page.get_by_label("Beside").select_option(index=1)
    table = page.get_by_role("table", name="Time by operator on both targets")
    table.wait_for()
    first = table.locator("tbody tr").first.locator("td").all_inner_texts()
    assert first[0] == "All"
    assert first[3].endswith("×")
    assert "beside=" in page.url


def long_network(blocks: int) -> bytes:
    """A chain of residual blocks of five nodes each."""
    nodes, value = [], "x"
    for block in range(blocks):
        names = [f"{name}{block}" for name in ("a", "b", "c", "d", "e")]
        nodes += [
            helper.make_node(kind, [source], [name])
            for kind, source, name in zip(("Relu", "Neg", "Abs", "Tanh"), (value, *names), names, strict=False)
        ]
        nodes.append(helper.make_node("Add", [value, names[3]], [names[4]]))
        value = names[4]
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in ("x", value)]
    graph = helper.make_graph(nodes, "long", tensors[:1], tensors[1:])
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    )


@pytest.mark.slow
def test_a_long_network_is_folded_and_a_block_unfolded_where_a_node_is_found(served: Served, open_tab: OpenTab) -> None:
    with Client(served.url) as client:
        graph = client.upload_graph(long_network(900))["hash"]
    page = open_tab(served.at(f"/networks/{graph}")).page
    loaded(page)
    page.get_by_text("A block is unfolded where it is chosen.").wait_for()
    page.get_by_role("searchbox").fill("Tanh")
    page.get_by_text("nodes match").wait_for()
    page.get_by_text("Share of time").wait_for()
    page.get_by_role("button", name="Folded into blocks").click()
    page.get_by_text("4,500 nodes are drawn.").wait_for()


@pytest.mark.slow
def test_an_architecture_is_typed_and_forecast_on_every_target(served: Served, open_tab: OpenTab) -> None:
    tab = open_tab(served.at("/try"))
    page = tab.page
    loaded(page)
    page.get_by_label("Text").fill("mobile/nothing=1")
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_role("alert").wait_for()
    tab.complaints[:] = [text for text in tab.complaints if "422" not in text]  # the browser's own line
    page.get_by_label("Text").fill("mobile/block=mbconv,depth=4,width=16,stages=4")
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_role("heading", name="Where the time goes").wait_for()
    assert page.locator("table tbody tr").count() >= len(served.seeded.targets)
    assert page.get_by_text("client.predict").is_visible()


@pytest.mark.slow
def test_an_adaptation_is_started_and_watched(served: Served, open_tab: OpenTab) -> None:
    page = open_tab(served.at(address(served, "adapt"))).page
    loaded(page)
    page.get_by_label("Networks to measure").fill("3")
    page.get_by_role("button", name="Start").click()
    page.get_by_text("of 3 measured").wait_for()
    with served.database.write.begin() as session:
        jobs = session.scalars(select(tables.Job).where(tables.Job.parent_id.is_not(None))).all()
        for job in jobs[:1]:
            job.state = JobState.FAILED
            job.result = {"error": "too large"}
    page.get_by_text("0 of 3 measured, 1 failed").wait_for()
    page.get_by_role("button", name="Cancel the job").click()
    page.get_by_text("cancelled").first.wait_for()


@pytest.mark.slow
def test_a_client_sees_no_button_that_it_may_not_use(serve: Callable[..., Served], open_tab: OpenTab) -> None:
    service = serve(require_keys=True)
    with service.database.write.begin() as session:
        access.create_key(session, scope="admin", name="first")
        _, secret = access.create_key(session, scope="client", name="tests")
    tab = open_tab(service.at(address(service, "adapt")))
    tab.page.get_by_label("Key").fill(secret)
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.get_by_text("Your key may look, and not start work").wait_for()
    assert tab.page.get_by_role("button", name="Start").count() == 0


@pytest.mark.slow
def test_a_server_that_is_away_is_noticed_and_its_return_too(served: Served, open_tab: OpenTab) -> None:
    tab = open_tab(served.at("/targets"))
    loaded(tab.page)
    tab.page.route("**/*", lambda route: route.abort())
    tab.page.get_by_role("link", name="Overview").click()
    tab.page.get_by_text("The service does not answer").wait_for()
    tab.page.unroute("**/*")
    tab.page.get_by_role("heading", name="Overview").wait_for()
    until(tab.page, "!document.body.innerText.includes('does not answer')")
    expected = ("ERR_FAILED", "dynamically imported")
    tab.complaints[:] = [text for text in tab.complaints if not any(one in text for one in expected)]
