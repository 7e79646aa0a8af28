"""Networks read kernels in NumPy: standardised sizes, known names and traits."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latcast.schema import ArtifactError, Target
from predictors.artifact import Artifact
from predictors.features.kernels import CLASSES
from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline
from predictors.kinds.kernel_sum.training_set import KernelBatch
from predictors.kinds.universal.graphs.kernel_network import KernelEncoding, KernelEnsemble, KernelInputs, KernelNetwork
from predictors.testing import DEVICES, measure, random_graph

WIDTH = 5


def batch() -> KernelBatch:
    rng = np.random.default_rng(0)
    return SharedRoofline.fit(measure([random_graph(rng) for _ in range(5)], DEVICES[:1], rng))[1].batch


def encoded() -> tuple[KernelEncoding, KernelInputs]:
    kernels = batch()
    encoding = KernelEncoding.fit(kernels.table, kernels.targets, kernels.costs)
    return encoding, encoding.encode(kernels.table, kernels.targets, kernels.costs)


def network(encoding: KernelEncoding, seed: int = 0) -> KernelNetwork:
    rng = np.random.default_rng(seed)
    shapes = {
        "numbers": (len(encoding.centre), WIDTH), "classes": (len(CLASSES), WIDTH),
        "operators": (len(encoding.operators) + 1, WIDTH), "traits": (len(encoding.traits), WIDTH), "bias": (WIDTH,),
        "hidden": (WIDTH, WIDTH), "hidden_bias": (WIDTH,), "out": (WIDTH,), "out_bias": (),
    }  # fmt: skip
    return KernelNetwork(**{name: rng.normal(0, 0.5, shape).astype(np.float16).astype(np.float32)
                            for name, shape in shapes.items()})  # fmt: skip


def test_numbers_are_standardised_and_bounded() -> None:
    _, inputs = encoded()
    assert np.abs(inputs.numbers).max() <= 4
    assert_allclose(np.median(np.abs(inputs.numbers.mean(axis=0))), 0, atol=0.05)


def test_what_training_has_not_seen_has_a_place_of_its_own() -> None:
    kernels, (encoding, inputs) = batch(), encoded()
    fewer = replace(encoding, operators=encoding.operators[1:])
    unknown = fewer.encode(kernels.table, kernels.targets, kernels.costs).operators == len(fewer.operators)
    assert_array_equal(unknown, np.array(kernels.table.operators) == encoding.operators[0])
    assert inputs.operators.max() < len(encoding.operators)


def test_traits_are_hot_where_a_target_has_them() -> None:
    encoding = replace(encoded()[0], traits=("backend=openvino", "threads=several"))
    targets = [Target(device="d", backend="openvino"), Target(device="d", backend="tract", threads=2)]
    assert encoding.multi_hot(targets).tolist() == [[1, 0], [0, 1]]
    assert encoding.multi_hot([]).shape == (0, 2)


def test_an_ensemble_is_the_mean_of_its_networks() -> None:
    encoding, inputs = encoded()
    networks = [network(encoding, seed) for seed in range(3)]
    expected = np.mean([one.predict(inputs) for one in networks], axis=0)
    assert np.ptp(expected) > 0.01
    assert_allclose(KernelEnsemble.of(networks).predict(inputs), expected, atol=1e-5)


def test_arrays_bring_a_network_back_and_keep_their_names() -> None:
    encoding, inputs = encoded()
    arrays = network(encoding).to_arrays("network.0.")
    assert "network.0.habits" in arrays, "what artifacts call the traits"
    artifact = Artifact(kind="k", hyperparameters={}, arrays=arrays)
    again = KernelNetwork.from_artifact(artifact, "network.0.", encoding)
    assert_array_equal(again.predict(inputs), network(encoding).predict(inputs))
    with pytest.raises(ArtifactError, match="corrupt"):
        KernelNetwork.from_artifact(artifact, "network.0.", replace(encoding, traits=()))
