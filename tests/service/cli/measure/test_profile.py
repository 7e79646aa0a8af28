"""`latcast profile` as a person uses it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from latcast.schema import (
    Environment,
    InputError,
    LatcastError,
    Measurement,
    ProcessRun,
    ProfileSettings,
    Target,
    UnboundDimensionError,
    from_plain,
)
from service.cli.main import app
from service.cli.measure.profile import print_rows

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
QUICK = ("--processes", "1", "--max-seconds", "0.02")
FAKE = (*QUICK, "--backend", "fake")


def profile(*arguments: str) -> str:
    """Standard output of a run that succeeds; errors are raised as they are."""
    result = CliRunner().invoke(app, ["profile", *arguments], catch_exceptions=False, env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def dynamic(tmp_path: Path) -> str:
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ("batch", 3)) for n in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "dynamic.onnx"
    onnx.save(model, path)
    return str(path)


def test_a_report_shows_latency_model_counters_and_kernels() -> None:
    shown = profile(str(LIGHT / "light_squeezenet.onnx"), *QUICK, "--kernels", "200")
    expected = (
        *("light_squeezenet.onnx", "onnxruntime", "median", "p10 … p90", "IQR", "samples", "spread of processes"),
        *("349.15 M", "GFLOP/s", "peak memory", "FLOPs/byte", "by share of the time", "1×64×111×111", "user-time "),
    )
    for words in expected:
        assert words in shown, words


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(LIGHT.glob("*.onnx")), ids=lambda path: path.stem)
def test_every_light_model_of_the_onnx_package_can_be_profiled(path: Path) -> None:
    document = json.loads(profile(str(path), *FAKE, "--json", "-"))
    assert document["summary"]["median_ms"] > 0
    assert document["graph"]["macs"] > 10**8


def test_json_holds_the_whole_measurement(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    shown = profile(str(LIGHT / "light_squeezenet.onnx"), *FAKE, "--json", str(out))
    document = json.loads(out.read_text())
    measurement = from_plain(Measurement, document["measurement"])
    assert measurement.summary is not None
    assert measurement.summary.median_ms == document["summary"]["median_ms"]
    assert "median" in shown


def test_json_on_standard_output_is_nothing_but_json() -> None:
    document = json.loads(profile(str(LIGHT / "light_squeezenet.onnx"), *FAKE, "--json", "-", "--kernels", "0"))
    assert document["measurement"]["runs"][0]["kernels"] is None


def test_dynamic_shapes_are_bound(dynamic: str) -> None:
    document = json.loads(profile(dynamic, *FAKE, "--shape", "x=4,3", "--json", "-"))
    assert document["measurement"]["feeds"][0]["shape"] == [4, 3]


def test_unbound_shapes_name_input_and_axis(dynamic: str) -> None:
    with pytest.raises(UnboundDimensionError, match=r"x\[0\] \(batch\)"):
        profile(dynamic, *FAKE)


def test_given_feeds_are_fed(dynamic: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "feeds.npz", x=np.full((4, 3), 2.0, np.float32))
    document = json.loads(
        profile(dynamic, *QUICK, "--shape", "x=4,3", "--feeds", str(tmp_path / "feeds.npz"), "--json", "-")
    )
    told = {"name": "x", "dtype": "float32", "shape": [4, 3], "low": 2, "high": 2, "values": []}
    assert document["measurement"]["feeds"] == [told]


def test_an_architecture_can_be_profiled_by_its_text() -> None:
    text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|nor_conv_3x3~1|avg_pool_3x3~2|"
    document = json.loads(profile("--space", "nasbench201", text, *FAKE, "--json", "-"))
    assert document["name"] == text
    assert document["graph"]["operators"]["Conv"] > 10


def test_a_failure_is_one_sentence_with_its_stage(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    with pytest.raises(LatcastError, match=r"asked to\. \(stage: run\)"):
        profile(str(LIGHT / "light_squeezenet.onnx"), *FAKE, "--option", "fault=error", "--json", str(out))
    assert json.loads(out.read_text())["measurement"]["failure"]["stage"] == "run"


@pytest.mark.parametrize("content", [None, b"", b"this is no model", b"\x08\x08\x12\x04"])
def test_files_that_are_no_models_get_a_sentence(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        profile(str(path), *FAKE)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--shape", "x"),
        ("--shape", "x=1,a"),
        ("--option", "=3"),
        ("--threads", "0"),
        ("--processes", "0"),
        ("--no-such-option",),
    ],
)
def test_wrong_usage_ends_with_2(wrong: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["profile", "m.onnx", *wrong]).exit_code == 2


def test_help_has_examples() -> None:
    shown = profile("--help")
    assert "latcast profile model.onnx --shape image=1,3,224,224" in shown


def crashing(operator: str, outputs: int, **attributes: int) -> bytes:
    """A model at which the shape inference of onnx ends its process."""
    node = helper.make_node(operator, ["x"] * (3 if operator == "LayerNormalization" else 1),
                            [f"y{place}" for place in range(outputs)], **attributes)  # fmt: skip
    infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])]
    graph = helper.make_graph([node], "g", infos, [helper.make_tensor_value_info("y0", TensorProto.FLOAT, None)])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(proto.SerializeToString())


@pytest.mark.parametrize(
    "content",
    [crashing("LayerNormalization", 3, axis=2**31), crashing("Split", 3, num_outputs=1)],
    ids=["SIGSEGV", "SIGABRT"],
)
def test_a_model_that_crashes_its_reader_gets_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "crash.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"onnx\.checker"):
        profile(str(path), *FAKE)


def test_several_models_and_sizes_get_a_row_each(dynamic: str, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    out = tmp_path / "all.json"
    arguments = ["profile", dynamic, str(tmp_path / "bad.onnx"), *FAKE, "--dim", "batch=1,2", "--json", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    rows = [line for line in result.stdout.splitlines() if "dynamic.onnx" in line]
    assert ["(batch=1)" in rows[0], "(batch=2)" in rows[1], len(rows)] == [True, True, 2]
    assert result.stderr.count("bad.onnx: These bytes are not an ONNX model") == 2
    documents = json.loads(out.read_text())
    assert [document.get("name") for document in documents[:2]] == ["dynamic.onnx (batch=1)", "dynamic.onnx (batch=2)"]
    assert [document["measurement"]["feeds"][0]["shape"] for document in documents[:2]] == [[1, 3], [2, 3]]
    assert "error" in documents[2]


def test_one_model_of_several_texts_may_fail_alone() -> None:
    texts = ["|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|", "nonsense"]
    result = CliRunner().invoke(app, ["profile", "--space", "nasbench201", *texts, *FAKE])
    assert result.exit_code == 1
    assert texts[0].partition("+")[0] in result.stdout
    assert "latcast: nonsense: " in result.stderr


def test_each_of_several_models_takes_the_sizes_that_it_has_a_place_for(dynamic: str, tmp_path: Path) -> None:
    squeezenet, out = str(LIGHT / "light_squeezenet.onnx"), tmp_path / "out.json"
    arguments = ["profile", dynamic, squeezenet, *FAKE, "--dim", "batch=2,4", "--json", str(out)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert [one["name"] for one in json.loads(out.read_text())] == [
        "dynamic.onnx (batch=2)", "dynamic.onnx (batch=4)", "light_squeezenet.onnx"
    ]  # fmt: skip
    said = " ".join(result.stderr.split())
    assert f"{squeezenet}: taken without --dim batch: nothing is called so there." in said
    with pytest.raises(InputError, match=r"'bach', which none of the files has\. Did you mean 'batch'"):
        profile(dynamic, squeezenet, *FAKE, "--dim", "bach=2")


def test_sizes_are_not_for_texts() -> None:
    result = CliRunner().invoke(app, ["profile", "--space", "zoo", "alexnet", *FAKE, "--dim", "n=2"])
    assert result.exit_code == 2
    assert "bind the open sizes of ONNX files" in result.output


NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(8, 4), torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    (tmp_path / "net.py").write_text(NET)
    return f"{tmp_path}/net.py:Net"


def test_a_torch_module_is_measured_beside_a_file(net: str, dynamic: str, tmp_path: Path) -> None:
    document = json.loads(profile(net, *FAKE, "--input", "2,8", "--json", "-"))
    assert document["name"] == "net.py:Net"
    assert document["graph"]["macs"] == 2 * (8 * 4 + 4 * 2)
    assert document["measurement"]["feeds"][0]["shape"] == [2, 8]
    out = tmp_path / "out.json"
    profile(net, dynamic, *FAKE, "--input", "2,8", "--dim", "batch=1,2", "--json", str(out))
    assert [one["name"] for one in json.loads(out.read_text())] == [
        "net.py:Net", "dynamic.onnx (batch=1)", "dynamic.onnx (batch=2)"
    ]  # fmt: skip


def test_a_torch_module_runs_in_a_real_runtime(net: str) -> None:
    document = json.loads(profile(net, *QUICK, "--input", "1,8", "--json", "-"))
    assert document["summary"]["median_ms"] > 0


def test_a_torch_module_that_fails_spoils_no_other(net: str, dynamic: str) -> None:
    arguments = ["profile", f"{net}s", dynamic, *FAKE, "--input", "2,8", "--dim", "batch=1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "dynamic.onnx" in result.stdout
    assert "net.py:Nets: " in result.stderr
    assert "cannot be made: AttributeError" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["net.py:Net"], "say with --input which shapes go in"),
        (["a.onnx", "--input", "1,3"], "--input is for torch modules"),
        (["net.py:Net", "--input", "1,3", "--dim", "n=1"], "torch modules have theirs already"),
        (["--space", "zoo", "alexnet", "--input", "1,3"], "--input is for torch modules"),
    ],
)
def test_inputs_and_sizes_go_with_what_takes_them(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["profile", *arguments, *FAKE])
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_a_row_says_that_a_quota_stopped_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    after = Environment(time_unix_s=0.0, quota_throttled_share=0.87, quota_throttled_s=3.2)
    target = Target(device="d", backend="fake", backend_version="1")
    stopped = Measurement(graph="g", target=target, settings=ProfileSettings(), runs=(ProcessRun(samples_ms=(1.0,)),),
                          after=after, noisy=True)  # fmt: skip
    busy = replace(stopped, after=None)
    print_rows([("stopped", stopped), ("busy", busy), ("quiet", replace(busy, noisy=False))])
    lines = capsys.readouterr().out.splitlines()
    print_rows([("failed", replace(stopped, runs=()))])
    assert not capsys.readouterr().out, "no head of an empty table"
    assert [line.split("  ")[-1] for line in lines[2:]] == [
        "noisy: CPU quota in 87% of periods", "noisy: the machine was busy", "steady"
    ]  # fmt: skip
