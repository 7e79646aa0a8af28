"""Subgraphs that runtimes replace by one kernel, and a small matcher that finds them.

A pattern is read from the result backwards: `("Mul", "x", ("Sigmoid", "x"))` is x·sigmoid(x). Lower-case names bind
tensors, and the same name has to bind the same tensor; `"#"` is any constant. Operators that commute match either way.
"""

from predictors.features.kernels.rewrite.plan import FusionPlan, Step

__all__ = ["PATTERNS", "Pattern", "find_pattern"]

Pattern = str | tuple["Pattern", ...]

_COMMUTATIVE = {"Add", "Mul"}
_CENTRED: Pattern = ("Sub", "x", ("ReduceMean", "x"))
_VARIANCE: Pattern = ("ReduceMean", ("Pow", _CENTRED, "#"))
_NORMALISED: Pattern = ("Div", _CENTRED, ("Sqrt", ("Add", _VARIANCE, "#")))
_ROOT_MEAN_SQUARE: Pattern = ("Sqrt", ("Add", ("ReduceMean", ("Pow", "x", "#")), "#"))
_ERF_DIV: Pattern = ("Add", ("Erf", ("Div", "x", "#")), "#")
_ERF_MUL: Pattern = ("Add", ("Erf", ("Mul", "x", "#")), "#")
_CUBIC: Pattern = ("Mul", ("Add", "x", ("Mul", ("Pow", "x", "#"), "#")), "#")
_FACTORED: Pattern = ("Mul", ("Mul", "x", "#"), ("Add", ("Mul", ("Mul", "x", "#"), "x"), "#"))
_TANH_CUBIC: Pattern = ("Add", ("Tanh", _CUBIC), "#")
_TANH_FACTORED: Pattern = ("Add", ("Tanh", _FACTORED), "#")

PATTERNS: tuple[tuple[str, Pattern], ...] = (
    ("LayerNormalization", ("Add", ("Mul", _NORMALISED, "#"), "#")),
    ("SimplifiedLayerNormalization", ("Mul", ("Div", "x", _ROOT_MEAN_SQUARE), "#")),
    ("Gelu", ("Mul", ("Mul", "x", _ERF_DIV), "#")),
    ("Gelu", ("Mul", ("Mul", "x", _ERF_MUL), "#")),
    ("Gelu", ("Mul", ("Mul", "x", "#"), _ERF_DIV)),
    ("Gelu", ("Mul", ("Mul", "x", "#"), _ERF_MUL)),
    ("Gelu", ("Mul", "x", ("Mul", _ERF_DIV, "#"))),
    ("Gelu", ("Mul", "x", ("Mul", _ERF_MUL, "#"))),
    ("FastGelu", ("Mul", ("Mul", "x", "#"), _TANH_CUBIC)),
    ("FastGelu", ("Mul", ("Mul", "x", "#"), _TANH_FACTORED)),
    ("QuickGelu", ("Mul", "x", ("Sigmoid", "x"))),
    ("QuickGelu", ("Mul", "x", ("Sigmoid", ("Mul", "x", "#")))),
)
"""Name of the kernel, and the subgraph it stands for."""


def find_pattern(plan: FusionPlan, last: Step, pattern: Pattern) -> tuple[list[Step], int] | None:
    """The steps that make up the pattern with `last` as its result, and the tensor bound to `x`.

    No step outside the match may need one of the results inside it.
    """
    found: list[Step] = []
    bound: dict[str, int] = {}
    if not _match_step(plan, last, pattern, found, bound):
        return None
    unique = list({id(step): step for step in found}.values())
    inside = {id(step) for step in unique}
    for step in unique:
        leaks = any(id(reader) not in inside for tensor in step.outputs for reader in plan.readers(tensor))
        if step is not last and (leaks or plan.results.intersection(step.outputs)):
            return None
    return unique, bound["x"]


def _match_step(plan: FusionPlan, step: Step, pattern: Pattern, found: list[Step], bound: dict[str, int]) -> bool:
    if isinstance(pattern, str):
        return False
    operator, *wanted = pattern
    if step.operator != operator or step.activations:
        return False
    inputs = [tensor for tensor in step.inputs if tensor >= 0]
    if step.operator == "ReduceMean":  # its axes became an input in opset 18
        inputs = inputs[:1]
    if len(inputs) != len(wanted):
        return False
    orders = (inputs, inputs[::-1]) if operator in _COMMUTATIVE else (inputs,)
    for order in orders:
        tried_steps, tried_bound = list(found), dict(bound)
        if all(
            _match_tensor(plan, tensor, part, tried_steps, tried_bound)
            for tensor, part in zip(order, wanted, strict=True)
        ):
            found[:] = [*tried_steps, step]
            bound.update(tried_bound)
            return True
    return False


def _match_tensor(plan: FusionPlan, tensor: int, pattern: Pattern, found: list[Step], bound: dict[str, int]) -> bool:
    if pattern == "#":
        return plan.is_constant(tensor)
    if isinstance(pattern, str):
        return bound.setdefault(pattern, tensor) == tensor
    producer = plan.producer(tensor)
    return producer is not None and _match_step(plan, producer, pattern, found, bound)
