"""What OpenVINO's CPU plugin joins beyond ONNX Runtime: chains of element-wise work, attention, views.

Convolutions and products take any element-wise work behind them, convolutions one more tensor as well; element-wise
chains are compiled into one kernel, as is attention from its first product to its second; a Reshape is another view of
the same memory. The rules follow OpenVINO's description of the graphs that it executes (version 2026.4).
"""

from predictors.features.kernels.rewrite.plan import FusionPlan, Step

__all__ = ["JOINED_ATTENTION", "is_view", "join_chains", "take_in_views"]

JOINED_ATTENTION = "JoinedAttention"

_PRODUCTS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
_TWO_OPERANDS = {"Add", "Sub", "Mul", "Div", "Min", "Max", "PRelu"}
_UNARY = {
    "Relu", "Clip", "LeakyRelu", "Abs", "Sigmoid", "Tanh", "HardSwish", "Elu", "Erf",
    "Gelu", "FastGelu", "QuickGelu", "BiasGelu", "Swish", "Mish", "Softplus", "Exp", "Sqrt", "Floor", "Ceil", "Round",
    "Pow", "BatchNormalization",
}  # fmt: skip
_ELEMENTWISE = _UNARY | _TWO_OPERANDS | {
    "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or", "Xor", "Not", "Where",
}  # fmt: skip
_VIEWS = {"Reshape", "Squeeze", "Unsqueeze", "Flatten"}
_FLOATS = {"float32", "bfloat16", "float16"}


def join_chains(plan: FusionPlan) -> None:
    """Merge what runs as one kernel."""
    for step in plan.live(plan.steps_of(_PRODUCTS)):
        _take_in_what_follows(plan, step)
    for step in plan.live(plan.steps_of({"Softmax"})):
        _join_attention(plan, step)
    for step in plan.live(plan.steps()):
        _join_elementwise(plan, step)


def take_in_views(plan: FusionPlan) -> None:
    """Views cost nothing; their nodes belong to the step whose result they show, whose kernel carries their name."""
    shown: dict[Step, Step | None] = {}
    for step in plan.steps():
        if step.operator not in _VIEWS or step.inputs[0] < 0:
            continue
        source = plan.producer(step.inputs[0])
        shown[step] = source = shown.get(source, source) if source is not None else None
        if source is not None and source.operator not in _VIEWS:
            source.take_nodes(step)


def is_view(step: Step) -> bool:
    """Whether the step is no kernel at all."""
    return step.operator in _VIEWS


def _take_in_what_follows(plan: FusionPlan, step: Step) -> None:
    while True:
        reader = plan.sole_reader(step)
        if reader is None or reader.activations or not _same_shape(plan, step, reader):
            return
        others = [tensor for tensor in reader.inputs if tensor >= 0 and tensor != step.outputs[0]]
        if reader.operator in _UNARY | _TWO_OPERANDS and all(map(plan.is_constant, others)):
            step.activations.append(reader.operator)
        elif _adds_earlier_tensor(plan, step, reader, others):
            step.residual = True
        else:
            return
        plan.merge([step, reader], main=step, last=reader)


def _adds_earlier_tensor(plan: FusionPlan, step: Step, reader: Step, others: list[int]) -> bool:
    """A convolution accumulates into a tensor of the same shape that is there already, and that it does not read."""
    if step.operator != "Conv" or step.residual or reader.operator != "Add" or len(others) != 1:
        return False
    if others[0] in step.inputs:
        return False
    source = plan.producer(others[0])
    return plan.shape(others[0]) == plan.shape(step.outputs[0]) and (source is None or source.position < step.position)


def _same_shape(plan: FusionPlan, step: Step, reader: Step) -> bool:
    before, after = plan.spec(step.outputs[0]), plan.spec(reader.outputs[0])
    return before.shape is not None and before.shape == after.shape and {before.dtype, after.dtype} <= _FLOATS


def _join_elementwise(plan: FusionPlan, step: Step) -> None:
    """One step with the element-wise step that alone reads it, and so on."""
    while step.operator in _ELEMENTWISE:
        reader = plan.sole_reader(step)
        if reader is None or reader.operator not in _ELEMENTWISE or not _same_shape(plan, step, reader):
            return
        reader.take_activations(step)
        reader.activations.append(step.operator)
        step = plan.merge([step, reader], main=reader, last=reader)


def _join_attention(plan: FusionPlan, softmax: Step) -> None:
    """Product, element-wise work, Softmax and product; Transposes around them but for that of the keys go in, too."""
    first, chain = plan.producer(softmax.inputs[0]), [softmax]
    while first is not None and first.operator in _ELEMENTWISE and plan.sole_reader(first) is chain[-1]:
        chain.append(first)
        first = _widest_source(plan, first)
    second = plan.sole_reader(softmax)
    if first is None or second is None or first.operator != "MatMul" or second.operator != "MatMul":
        return
    if plan.sole_reader(first) is not chain[-1] or second.inputs[0] != softmax.outputs[0]:
        return
    if any(plan.is_constant(tensor) for tensor in (*first.inputs[:2], *second.inputs[:2])):
        return
    steps = [first, *reversed(chain), second]
    for tensor, reader in ((first.inputs[0], first), (second.inputs[1], second)):
        before = plan.producer(tensor)
        if before is not None and before.operator == "Transpose" and plan.sole_reader(before) is reader:
            steps.append(before)
    after = plan.sole_reader(second)
    last = after if after is not None and after.operator == "Transpose" else second
    steps += [last] if last is not second else []
    product = list(second.inputs)
    merged = plan.merge(steps, main=second, last=last, operator=JOINED_ATTENTION)
    merged.inputs.sort(key=lambda tensor: tensor in product)
    merged.activations = []


def _widest_source(plan: FusionPlan, step: Step) -> Step | None:
    """What makes the input that has the shape of the result; a mask has fewer axes, or is an input."""
    whole = plan.shape(step.outputs[0])
    sources = [plan.producer(tensor) for tensor in step.inputs if plan.shape(tensor) == whole]
    return next((source for source in sources if source is not None), None)
