"""Calls that hide, show, rename and merge: what they answer, what they refuse, and who did it."""

import pytest

from tests.service.helpers import OTHER_TARGET, TARGET, World


def test_what_was_done_stands_in_the_audit(measured: World) -> None:
    measured.client.hide_measurements(ids=[1])
    measured.client.show_measurements(ids=[1])
    measured.client.hide("targets", OTHER_TARGET.id)
    measured.client.show("targets", OTHER_TARGET.id)
    measured.client.rename_device("bench", "desk")
    measured.client.merge("targets", OTHER_TARGET.id, TARGET.id)
    actions = [one["action"] for one in measured.client.audit()]
    assert actions[:6] == [
        "targets.merge", "devices.rename", "targets.show", "targets.hide", "measurements.show", "measurements.hide"
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/measurements/hide", {}, 422),
        ("/measurements/hide", {"ids": [-1]}, 422),
        ("/measurements/hide", {"agent": "bench", "strange": 1}, 422),
        ("/measurements/show", {"agent": "none"}, 404),
        ("/devices/none/rename", {"name": "x"}, 404),
        ("/devices/bench/rename", {"name": "x" * 201}, 422),
        ("/devices/bench/merge", {"into": "none"}, 404),
        ("/devices/none/show", {}, 404),
        ("/graphs/g1-none/show", {}, 404),
    ],
)
def test_what_cannot_be_is_refused(measured: World, path: str, body: dict, status: int) -> None:
    answer = measured.http.post(f"/v1{path}", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
