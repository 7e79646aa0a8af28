"""What a target's runtime, precision, level and threads mean for kernels is read in one place."""

import pytest

from latcast.schema import InputError, Target
from predictors.features.kernels import DEFAULT_TRAITS, ExecutionTraits, Level, RewriteRules


def traits_of(backend: str, precision: str = "fp32", threads: int = 1, **options: str) -> ExecutionTraits:
    return ExecutionTraits.of(
        Target(device="d", backend=backend, precision=precision, threads=threads, options=options)
    )


def test_the_default_is_onnx_runtime_with_nothing_particular() -> None:
    assert traits_of("onnxruntime") == traits_of("onnxruntime", "as_given", spinning="off") == DEFAULT_TRAITS
    assert DEFAULT_TRAITS.particulars() == {"backend=onnxruntime"}
    assert DEFAULT_TRAITS.rewrite_rules == RewriteRules(Level.ALL, "fp32", joins_chains=False)


def test_what_sets_a_target_apart_has_a_name() -> None:
    traits = traits_of("openvino", "bf16", threads=4, optimisation="basic")
    assert traits.particulars() == {
        "backend=openvino", "precision=bf16", "optimisation=basic", "threads=several",
    }  # fmt: skip


def test_kernels_depend_on_level_quantisation_and_runtime_alone() -> None:
    assert traits_of("imported").rewrite_rules == DEFAULT_TRAITS.rewrite_rules
    assert traits_of("onnxruntime", threads=8).rewrite_rules == DEFAULT_TRAITS.rewrite_rules
    assert traits_of("onnxruntime", optimisation="basic").rewrite_rules.level == Level.BASIC
    assert traits_of("onnxruntime", "int8_static").rewrite_rules == RewriteRules(Level.ALL, "int8_static", False)
    assert traits_of("openvino", "bf16").rewrite_rules == traits_of("openvino").rewrite_rules
    assert traits_of("openvino").rewrite_rules == RewriteRules(Level.ALL, "fp32", joins_chains=True)
    assert traits_of("tract", optimisation="all").rewrite_rules.level == Level.BASIC


def test_a_level_that_onnx_runtime_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match="one of disabled, basic, extended, all, not 'most'"):
        _ = traits_of("onnxruntime", optimisation="most").rewrite_rules
