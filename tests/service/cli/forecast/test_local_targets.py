"""Targets of a measured data set are found by id and by words, and bring what was measured on them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="the extra [service] is not installed")

from latcast.schema import InputError, ProfileSettings, Target, UnknownNameError
from predictors.data.measured import ROWS_FILE, TARGETS_FILE, MeasuredRow, MeasuredTarget
from predictors.data.measured.records import About
from predictors.data.measured.storage import write_rows, write_targets
from profilers.backends import get_backend
from service.cli.forecast.local_targets import target_of_data, this_machine
from tests.service.helpers import DEVICE

PREDICTOR: Any = object()
TARGETS = [
    Target(device=DEVICE.fingerprint, backend="openvino", backend_version="2026", precision=precision)
    for precision in ("fp32", "bf16")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rows = [
        MeasuredRow(space=space, text=text, graph="", target=TARGETS[1].id, method="quick", latency_ms=ms, stale=stale)
        for space, text, ms, stale in (
            ("zoo", "mobile/a", 1.0, False),
            ("zoo", "mobile/a", 2.0, False),
            ("zoo", "mobile/old", 3.0, True),
            ("zoo", "mobile/failed", None, False),
            ("kernels", "conv/a", 4.0, False),
        )
    ]
    write_rows(folder / ROWS_FILE, rows)
    write_targets(folder / TARGETS_FILE, [MeasuredTarget(target=target, device=DEVICE) for target in TARGETS], About())
    return folder


@pytest.mark.parametrize("wanted", [TARGETS[1].id[:6], "BF16", f"bf16 {DEVICE.name}"])
def test_a_target_is_named_by_its_id_or_by_words(folder: Path, wanted: str) -> None:
    local = target_of_data(folder, wanted, PREDICTOR)
    assert (local.target, local.device, local.predictor) == (TARGETS[1], DEVICE.processor, PREDICTOR)


def test_networks_are_the_newest_rows_with_a_latency(folder: Path) -> None:
    (network,) = target_of_data(folder, "bf16", PREDICTOR).measured
    assert (network.name, network.latency_ms) == ("zoo/mobile/a", 2.0)


def test_a_target_that_is_not_clear_is_asked_for(folder: Path) -> None:
    with pytest.raises(InputError, match="Several targets fit"):
        target_of_data(folder, "openvino", PREDICTOR)
    with pytest.raises(UnknownNameError, match="bf16"):
        target_of_data(folder, "tpu", PREDICTOR)
    with pytest.raises(UnknownNameError, match="default settings"):
        target_of_data(folder, None, PREDICTOR)


def test_of_machines_that_share_a_target_the_first_is_meant_and_words_name_the_other(tmp_path: Path) -> None:
    other = replace(DEVICE, fingerprint="f" * 32, processor="Other Silicon 9")
    targets = [replace(TARGETS[0], device=device.fingerprint) for device in (DEVICE, other)]
    write_rows(tmp_path / ROWS_FILE, [])
    described = [
        MeasuredTarget(target=target, device=device) for target, device in zip(targets, (DEVICE, other), strict=True)
    ]
    write_targets(tmp_path / TARGETS_FILE, described, About())
    assert target_of_data(tmp_path, "openvino fp32", PREDICTOR).target == targets[0]
    assert target_of_data(tmp_path, "openvino silicon", PREDICTOR).target == targets[1]
    assert target_of_data(tmp_path, targets[1].id, PREDICTOR).device == "Other Silicon 9"


def test_this_machine_has_no_measurements() -> None:
    local = this_machine(PREDICTOR)
    assert local.measured == ()
    assert local.target.backend == "onnxruntime"


def test_where_nobody_names_one_the_only_target_is_meant_or_that_of_the_default_settings(tmp_path: Path) -> None:
    settings = ProfileSettings()
    options = dict(get_backend(settings.backend).default_options)
    default = Target(device=DEVICE.fingerprint, backend=settings.backend, backend_version="1", options=options)
    write_rows(tmp_path / ROWS_FILE, [])
    for targets, expected in ((TARGETS[:1], TARGETS[0]), ([*TARGETS, default], default)):
        described = [MeasuredTarget(target=target, device=DEVICE) for target in targets]
        write_targets(tmp_path / TARGETS_FILE, described, About())
        assert target_of_data(tmp_path, None, PREDICTOR).target == expected
