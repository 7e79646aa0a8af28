"""`latcast microbench` as a person uses it."""

import json

import pytest
from typer.testing import CliRunner

from latcast.schema import LatcastError, Microbench, from_plain
from profilers.microbench import ENTRIES, runner
from service.cli.main import app


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PROCESSES", 1)
    monkeypatch.setattr(runner, "TIMED_SECONDS", 0.01)


def microbench(*arguments: str) -> str:
    arguments = ("microbench", "--backend", "fake", "--option", "latency_us=10", *arguments)
    result = CliRunner().invoke(app, arguments, catch_exceptions=False, env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_table_tells_every_entry_with_its_unit() -> None:
    shown = microbench()
    for entry in ENTRIES:
        assert entry.about in shown
    for words in ("fake 1 fp32 1 thread", " µs", "GMAC/s", "GB/s", "1.00 ×", "spread"):
        assert words in shown


def test_json_is_the_record_and_rates_beside_it() -> None:
    document = json.loads(microbench("--json", "-"))
    rates = document.pop("rates")
    found = from_plain(Microbench, document)
    assert set(found.values) == {entry.name for entry in ENTRIES}
    assert rates["gemm_512_ms"].endswith(" GMAC/s")
    assert rates["elementwise_64m_ms"].endswith(" GB/s")
    assert "call_ms" not in rates


def test_what_cannot_be_timed_is_a_sentence() -> None:
    with pytest.raises(LatcastError, match="No microbenchmark could be timed"):
        microbench("--option", "fault=error")
