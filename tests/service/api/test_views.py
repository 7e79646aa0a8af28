"""Rows as answers: what lists of targets, jobs and graphs tell."""

from service.api import views
from service.db import tables
from service.fleet.targets import find_target
from service.jobs import queue
from service.measurements.counts import MeasuredCounts
from service.settings import Settings
from tests.service.helpers import CELL, DEVICE, TARGET, World, add_import

SETTINGS = Settings()


def test_a_target_is_shown_with_its_device_and_what_was_measured(measured: World) -> None:
    imported = add_import(measured)
    with measured.database.read() as session:
        rows = [find_target(session, target_id) for target_id in (TARGET.id, imported)]
        ours, theirs = views.targets_out(session, rows, SETTINGS, MeasuredCounts().of(session))
    assert (ours.device_name, ours.measurements, ours.offered, ours.adaptation) == (DEVICE.name, 6, True, None)
    assert (theirs.device_name, theirs.device_id, theirs.measurements) == ("pixel", None, 1)
    assert ours.label == TARGET.label


def test_no_targets_are_no_answers(world: World) -> None:
    with world.database.read() as session:
        assert views.targets_out(session, [], SETTINGS, {}) == []


def test_a_job_is_shown_with_its_attempts_and_children(measured: World) -> None:
    newest = next(measured.client.jobs())
    with measured.database.write.begin() as session:
        for child in (job for job in measured.client.jobs() if job["id"] != newest["id"]):
            queue.find(session, child["id"]).parent_id = newest["id"]
    with measured.database.read() as session:
        row = queue.find(session, newest["id"])
        shown = views.job_out(session, row, SETTINGS)
        assert views.job_ref(row).model_dump().items() <= shown.model_dump().items()
    assert (shown.state, shown.attempts, shown.children) == ("failed", 1, {"done": 6})
    assert [(reason.outcome, reason.stage) for reason in shown.reasons] == [("failed", "open")]


def test_a_graph_is_shown_with_the_text_it_was_built_of(world: World) -> None:
    hashes = [world.graph(), world.client.upload_architecture("nasbench201", CELL)["hash"]]
    with world.database.read() as session:
        plain, built = (views.graph_out(session, session.get_one(tables.Graph, name)) for name in hashes)
    assert plain.architecture is None
    assert built.architecture is not None
    assert (built.architecture.space, built.architecture.text) == ("nasbench201", CELL)
