"""What targets say of themselves."""

from latcast.schema import DeviceEvidence, Target


def test_target_ids_depend_on_content_alone():
    one = Target(device="d", backend="b", options={"a": "1", "b": "2"})
    assert one.id == Target(device="d", backend="b", options={"b": "2", "a": "1"}).id
    assert one.id != Target(device="d", backend="b", options={"a": "1"}).id
    assert one.label == "b fp32 1 thread a=1 b=2"


def test_a_label_is_one_line_for_people() -> None:
    target = Target(device="d", backend="onnxruntime", backend_version="1.32.0", threads=2)
    assert target.label == "onnxruntime 1.32.0 fp32 2 threads"


def test_evidence_may_be_missing_altogether() -> None:
    evidence = DeviceEvidence()
    assert (evidence.counters, evidence.microbench, evidence.reference_latency_ms) == (None, None, {})
