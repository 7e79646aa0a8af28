"""Records survive the way to plain JSON and back, and what does not fit is named with its place."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latcast.schema import (
    DTYPE_BYTES,
    CounterReading,
    Device,
    DeviceEvidence,
    Environment,
    Failure,
    FeedSpec,
    Graph,
    InputError,
    KernelTiming,
    Measurement,
    Node,
    ProcessRun,
    ProfileSettings,
    Target,
    TensorSpec,
    from_plain,
    to_plain,
)

_names = st.text(max_size=8)
_sizes = st.integers(0, 2**40)
_floats = st.floats(allow_nan=False, allow_infinity=False)
_times = st.floats(1e-6, 1e6)
_shapes = st.lists(st.integers(0, 2**31), max_size=4).map(tuple)
_texts = st.dictionaries(_names, _names, max_size=3)
_numbers = st.dictionaries(_names, _floats, max_size=3)


def _tuples(items, **limits):
    return st.lists(items, **limits).map(tuple)


_feeds = st.builds(
    FeedSpec, name=_names, dtype=_names, shape=_shapes, low=st.none() | _floats, high=st.none() | _floats
)
_kernels = st.builds(
    KernelTiming, operator=_names, share=_floats, time_ms=_floats, node=st.none() | _sizes,
    input_shapes=_tuples(_shapes, max_size=2), output_shapes=_tuples(_shapes, max_size=2), dtype=_names,
)  # fmt: skip
_counters = st.builds(
    CounterReading, values=_numbers, enabled_ns=st.dictionaries(_names, _sizes), running_ns=st.just({}), absent=_texts
)
_runs = st.builds(
    ProcessRun, samples_ms=_tuples(_times, min_size=1, max_size=5), load_ms=_floats, peak_memory_bytes=_sizes,
    kernels=st.none() | _tuples(_kernels, max_size=2), counters=st.none() | _counters,
)  # fmt: skip
_targets = st.builds(Target, device=_names, backend=_names, threads=st.integers(1, 64), options=_texts, origin=_names)
_environments = st.builds(
    Environment, time_unix_s=_floats, load_1m=st.none() | _floats, throttled=st.none() | st.booleans(), versions=_texts
)
_measurements = st.builds(
    Measurement, graph=_names, target=_targets, settings=st.builds(ProfileSettings, seed=_sizes, options=_texts),
    feeds=_tuples(_feeds, max_size=2), before=st.none() | _environments, runs=_tuples(_runs, max_size=3),
    failure=st.none() | st.builds(Failure, stage=_names, message=_names), noisy=st.booleans(),
)  # fmt: skip
_attributes = st.integers() | _floats | _names | _tuples(st.integers(), max_size=3) | _tuples(_names, max_size=3)
_tensors = st.builds(TensorSpec, name=_names, dtype=st.sampled_from(sorted(DTYPE_BYTES)), shape=st.none() | _shapes)


def _graphs(bodies=None):
    nodes = st.builds(
        Node, operator=_names, inputs=_shapes, outputs=_shapes, macs=_sizes,
        bodies=st.just(()) if bodies is None else _tuples(bodies, max_size=1),
        attributes=st.dictionaries(_names, _attributes, max_size=2), trips=_sizes,
    )  # fmt: skip
    return st.builds(
        Graph, hash=_names, tensors=_tuples(_tensors, max_size=3), inputs=_shapes, outputs=_shapes, opset=_sizes,
        nodes=_tuples(nodes, max_size=2), initializers=st.frozensets(_sizes, max_size=2),
    )  # fmt: skip


_all_graphs = _graphs() | _graphs(_graphs())
_evidence = st.builds(DeviceEvidence, counters=st.none() | _numbers, microbench=st.none() | _numbers)
_devices = st.builds(
    Device, fingerprint=_names, name=_names, machine=_names, processor=_names, physical_cores=_sizes, details=_texts,
    logical_cores=_sizes, memory_bytes=_sizes, cache_bytes=st.dictionaries(_names, _sizes), features=_tuples(_names),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(_measurements | _all_graphs | _evidence | _devices)
def test_records_survive_the_round_trip(record):
    text = json.dumps(to_plain(record))
    assert from_plain(type(record), json.loads(text)) == record


def test_lists_of_floats_that_read_as_integers_stay_floats():
    run = from_plain(ProcessRun, {"samples_ms": [1, 2]})
    assert run.samples_ms == (1.0, 2.0)
    assert all(isinstance(sample, float) for sample in run.samples_ms)


_TARGET = {"device": "d", "backend": "b"}


@pytest.mark.parametrize(
    ("cls", "value", "message"),
    [
        (Target, [], "Target: expected an object, found list."),
        (Target, None, "Target: expected an object, found null."),
        (Target, {"device": "d"}, "Target: the field 'backend' is missing."),
        (Target, {**_TARGET, "thread": 1}, "Target: unknown field 'thread'; known are device, backend,"),
        (Target, {**_TARGET, "threads": "1"}, "threads: expected int, found str."),
        (Target, {**_TARGET, "threads": True}, "threads: expected int, found bool."),
        (Target, {**_TARGET, "options": {"a": 1}}, "options.a: expected str, found int."),
        (ProcessRun, {"samples_ms": [1.0, "x"]}, "samples_ms[1]: expected float, found str."),
        (ProcessRun, {"samples_ms": 1.0}, "samples_ms: expected a list, found float."),
        (ProcessRun, {"samples_ms": [], "kernels": [{}]}, "kernels[0]: the field 'operator' is missing."),
        (TensorSpec, {"name": "x", "dtype": "float32", "shape": [1, None]}, "shape[1]: expected int, found null."),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(cls, value, message):
    with pytest.raises(InputError) as caught:
        from_plain(cls, value)
    assert message in str(caught.value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | _floats | _names,
                    lambda inner: st.lists(inner) | st.dictionaries(_names, inner), max_leaves=8))  # fmt: skip
def test_any_json_is_a_record_or_an_input_error(value):
    for cls in (Target, Graph, Measurement):
        try:
            from_plain(cls, value)
        except InputError:
            continue
        pytest.fail(f"{value!r} passed for a {cls.__name__}")
