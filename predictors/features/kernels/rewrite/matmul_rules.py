"""What ONNX Runtime takes into a product of matrices: what is added, scalar factors, and swaps of axes."""

from collections.abc import Set

from predictors.features.kernels.rewrite.plan import FusionPlan, Step, is_trained

__all__ = ["fuse_matmul_add", "fuse_matmul_neighbours"]

_RESHAPING = {"Reshape", "Squeeze", "Unsqueeze", "Flatten"}
"""Operators that only look at their input in another way."""


def fuse_matmul_add(plan: FusionPlan, step: Step) -> None:
    """MatMul with constant weights or of two matrices, and what is added or BatchNormalization after it, is a Gemm."""
    if step.operator != "MatMul" or len(plan.shape(step.inputs[1])) != 2:
        return
    out = plan.shape(step.outputs[0])
    reader = plan.sole_reader(step)
    if reader is None or plan.spec(step.outputs[0]).dtype != "float32":
        return
    constant = plan.is_constant(step.inputs[1])
    if reader.operator == "Add" and len(reader.inputs) == 2:
        bias = next((tensor for tensor in reader.inputs if tensor != step.outputs[0]), -1)
        fits = plan.shape(bias) == out[-1:] and plan.is_constant(bias) and constant
        fits = fits or (len(out) == 2 and plan.shape(bias) in {out, out[1:], (1, out[1]), (out[0], 1)})
    else:
        fits = constant and reader.operator == "BatchNormalization" and len(out) == 2 and not is_trained(reader)
    if fits:
        plan.merge([step, reader], main=step, last=reader, operator="Gemm")


def fuse_matmul_neighbours(plan: FusionPlan, step: Step) -> None:
    """Scalar factors around a MatMul, and before it swaps of the last two axes or of batches, go into its arguments."""
    if step.operator != "MatMul":
        return
    reader = plan.sole_reader(step)
    if reader is not None and _scaled_tensor(plan, reader) == step.outputs[0]:
        step = plan.merge([step, reader], main=step, last=reader)
    for place in (0, 1):
        _take_in_argument(plan, step, place)
        _take_in_batches(plan, step, place)


def _take_in_argument(plan: FusionPlan, product: Step, place: int) -> None:
    """Make the product take in the scalar factors and swaps before one argument."""
    arguments, steps, reader = product.inputs[:2], [], product
    while (source := plan.producer(arguments[place])) is not None:
        if not _is_read_by(plan, source, {reader, product}):
            break
        replaced = source.inputs[0] if _swaps_last_two(source) else _scaled_tensor(plan, source)
        if replaced < 0:
            break
        steps.append(source)
        arguments[place], reader = replaced, source
    if steps:
        merged = plan.merge([*steps, product], main=product, last=product)
        merged.inputs = [*arguments, *(tensor for tensor in merged.inputs if tensor not in arguments)]


def _is_read_by(plan: FusionPlan, step: Step, readers: Set[Step]) -> bool:
    """Whether these steps alone read the step's only result."""
    results = [tensor for tensor in step.outputs[:2] if tensor >= 0]
    if len(step.outputs) > 1 or not results or results[0] in plan.results:
        return False
    return 0 < plan.count_readers(results[0]) <= len(readers) and all(
        reader in readers for reader in plan.readers(results[0])
    )


def _take_in_batches(plan: FusionPlan, product: Step, place: int) -> None:
    """A swap that makes batches of what were columns, with at most axes of size one put before them, costs nothing.

    Nor does one of the last two axes between them, which the product's arguments take in like one right before it.
    """
    reader = product
    source = plan.producer(product.inputs[place])
    if source is not None and _puts_ones_before(plan, source) and plan.sole_reader(source) is reader:
        reader, source = source, plan.producer(source.inputs[0])
        while source is not None and _swaps_last_two(source) and plan.sole_reader(source) is reader:
            plan.bypass(source, source.inputs[0])
            source = plan.producer(reader.inputs[0])
    if source is not None and _makes_batches(source) and plan.sole_reader(source) is reader:
        plan.bypass(source, source.inputs[0])


def _puts_ones_before(plan: FusionPlan, step: Step) -> bool:
    if step.operator not in _RESHAPING:
        return False
    before, after = plan.shape(step.inputs[0]), plan.shape(step.outputs[0])
    return after == (1,) * (len(after) - len(before)) + before


def _makes_batches(step: Step) -> bool:
    perm = step.ints("perm")
    return step.operator == "Transpose" and len(perm) > 2 and perm == (*range(1, len(perm) - 1), 0, len(perm) - 1)


def _scaled_tensor(plan: FusionPlan, step: Step) -> int:
    """The tensor that the step multiplies by, or divides by, a constant scalar; -1 where it does not."""
    if step.operator not in {"Mul", "Div"} or len(step.inputs) != 2:
        return -1
    scalar = [plan.is_constant(tensor) and plan.spec(tensor).elements == 1 for tensor in step.inputs]
    if scalar[1]:
        return step.inputs[0]
    return step.inputs[1] if scalar[0] and step.operator == "Mul" else -1


def _swaps_last_two(step: Step) -> bool:
    perm = step.ints("perm")
    rank = len(perm)
    return step.operator == "Transpose" and rank >= 2 and perm == (*range(rank - 2), rank - 1, rank - 2)
