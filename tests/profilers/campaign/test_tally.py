"""What a campaign has of each target."""

from pathlib import Path

from latcast.schema import Architecture, Failure, Measurement, Microbench, ProcessRun, ProfileSettings
from profilers.backends.target_settings import target_for
from profilers.campaign import CampaignLog, Note, Row, Tally, tallies
from profilers.host.device import describe_device

SETTINGS = ProfileSettings(backend="fake")


def test_a_folder_without_a_log_has_nothing(tmp_path: Path) -> None:
    (tally,) = tallies(tmp_path / "new", [SETTINGS])
    assert tally == Tally(target=target_for(describe_device(), SETTINGS), settings=SETTINGS)
    assert not (tmp_path / "new").exists()


def test_each_graph_counts_once_and_other_targets_do_not(tmp_path: Path) -> None:
    device, other = describe_device(), ProfileSettings(backend="fake", options={"latency_us": "1"})
    target = target_for(device, SETTINGS)

    def row(text: str, *, space: str = "kernels", failed: bool = False, settings: ProfileSettings = SETTINGS) -> Row:
        measurement = Measurement(
            graph=text, target=target_for(device, settings), settings=settings,
            runs=() if failed else (ProcessRun(samples_ms=(1.0,)),),
            failure=Failure(stage="run", message="No.") if failed else None,
        )  # fmt: skip
        return Row(architecture=Architecture(space=space, text=text), measurement=measurement)

    with CampaignLog(tmp_path) as log:
        log.append(Note(target=target, device=device, microbench=Microbench(target=target, values={"call_ms": 1.0})))
        for entry in (row("gemm"), row("gemm"), row("unary", failed=True), row("plain", space="zoo")):
            log.append(entry)
        log.append(row("elsewhere", settings=other))
    (tally,) = tallies(tmp_path, [SETTINGS])
    assert (tally.networks, tally.kernels, tally.failures, tally.described) == (1, 1, 1, True)
