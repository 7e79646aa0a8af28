"""A caller that hangs up takes its work with it: the process that does it ends, and the next call is answered."""

import base64
import json
import socket
import time
from collections.abc import Callable

import psutil
import pytest
from onnx import TensorProto, helper

from tests.hostile.served import Served
from tests.service.helpers import TARGET, model

LONGEST_S = 30.0
NODES = 90_000
"""Reading so many takes seconds on any machine."""


def large() -> bytes:
    nodes = [helper.make_node("Mul", [f"t{i}" if i else "x", "y"], [f"t{i + 1}"]) for i in range(NODES)]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 8]) for name in "xy"]
    outputs = [helper.make_tensor_value_info(f"t{NODES}", TensorProto.FLOAT, [4, 8])]
    proto = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), ir_version=9)
    proto.opset_import[0].version = 17
    return bytes(proto.SerializeToString())


def forecast(content: bytes) -> tuple[str, str, bytes]:
    item = {"onnx": base64.b64encode(content).decode()}
    return "/v1/predict", "application/json", json.dumps({"target": TARGET.id, "items": [item]}).encode()


def explanation(content: bytes) -> tuple[str, str, bytes]:
    item = {"onnx": base64.b64encode(content).decode()}
    return f"/v1/targets/{TARGET.id}/explain", "application/json", json.dumps(item).encode()


def upload(content: bytes) -> tuple[str, str, bytes]:
    return "/v1/graphs", "application/octet-stream", content


def readers(served: Served) -> dict[int, float]:
    """Processor time in s of each process that reads models, by its id."""
    found = {}
    for child in psutil.Process(served.process.pid).children(recursive=True):
        try:
            if "predictors.foreign.child" in child.cmdline():
                found[child.pid] = child.cpu_times().user
        except psutil.NoSuchProcess:
            continue
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("asked", [forecast, explanation, upload])
def test_work_ends_with_its_caller(served: Served, asked: Callable[[bytes], tuple[str, str, bytes]]) -> None:
    path, kind, body = asked(large())
    before = readers(served)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"

    def busy() -> list[int]:
        return [pid for pid, used in readers(served).items() if used > before.get(pid, 0.0) + 0.3]

    with socket.create_connection(("127.0.0.1", served.port)) as caller:
        caller.sendall(head.encode() + body)
        wait_for(lambda: bool(busy()))
        worker = busy()[0]
    wait_for(lambda: worker not in readers(served))
    assert served.client.predict(TARGET.id, [{"onnx": base64.b64encode(model()).decode()}])[0]["latency_ms"] > 0
