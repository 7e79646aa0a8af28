"""Work and shapes of kernels whose work follows from structure: trees, sorting, attention, bodies, signals."""

from math import log2, prod

from predictors.features.kernels.cost.shapes import Shape, Work, count_elements
from predictors.features.kernels.rewrite.plan import FusionPlan, Step

__all__ = [
    "describe_attention",
    "describe_control",
    "describe_sample",
    "describe_scatter",
    "describe_search",
    "describe_signal",
    "describe_sort",
    "describe_trees",
    "tree_bytes",
]

_TREE_NODE_BYTES = 32


def describe_trees(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Tree ensembles: each row walks down every tree; the nodes are read at random."""
    node = plan.graph.nodes[step.main]
    data = plan.shape(step.inputs[0])
    rows = data[0] if len(data) > 1 else 1
    trees, nodes = _tree_counts(step)
    comparisons = node.flops / 2 if node.flops else float(rows * trees)
    shape.update(rows=rows, groups=trees, depth=comparisons / max(1, rows * trees), axis=nodes, parts=rows)
    shape.update(
        channels_in=data[-1] if data else 1, columns=shape["run"], variant=float("Classifier" in step.operator)
    )
    return 0.0, comparisons


def _tree_counts(step: Step) -> tuple[int, int]:
    """Trees and nodes of an ensemble; of a large one the reader has counted them."""
    if (trees := step.integer("trees", 0)) > 0:
        return trees, max(1, step.integer("nodes", 0))
    ids = step.ints("nodes_treeids")
    if ids:
        return len(set(ids)), len(ids)
    return max(1, len(step.ints("tree_roots"))), max(1, len(step.ints("nodes_featureids")))


def tree_bytes(step: Step) -> int:
    """Bytes that an ensemble's nodes take."""
    return _TREE_NODE_BYTES * _tree_counts(step)[1]


def describe_sort(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """TopK: a heap of k over each row, or a sort where k is large."""
    data, out = plan.shape(step.inputs[0]), plan.shape(step.outputs[0])
    axis = step.integer("axis", -1) % max(1, len(data))
    length, kept = (data[axis], out[axis]) if data and len(out) == len(data) else (prod(data), prod(out))
    rows = prod(data) // max(1, length)
    shape.update(rows=rows, axis=length, columns=kept, run=prod(data[axis + 1 :]), parts=rows)
    return 0.0, prod(data) * (1 + log2(1 + min(kept, length)))


def describe_search(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Suppression of overlapping boxes, and other operators that find things: they sort what they compare."""
    data = plan.shape(step.inputs[1 if step.operator == "NonMaxSuppression" and len(step.inputs) > 1 else 0])
    length, elements = (data[-1] if data else 1), prod(data)
    shape.update(rows=elements // max(1, length), axis=length, parts=elements // max(1, length))
    shape["variant"] = {"NonMaxSuppression": 2.0, "Unique": 1.0}.get(step.operator, 0.0)
    sorts = shape["variant"] > 0
    return 0.0, elements * (2 + (log2(1 + length) if sorts else 0))


def describe_scatter(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """The data is copied, then slices or single elements of it are replaced, or added to."""
    indices, updates = (plan.shape(tensor) for tensor in step.inputs[1:3]) if len(step.inputs) > 2 else ((), ())
    written = prod(updates)
    run = written / max(1, prod(indices[:-1])) if step.operator == "ScatterND" else 1
    reduces = step.attributes.get("reduction", "none") != "none"
    shape.update(run=max(1, run), rows=written / max(1, run), parts=written / max(1, run), variant=float(reduces))
    shape.update(axis=step.integer("axis", 0), columns=prod(plan.shape(step.inputs[0])))
    return 0.0, count_elements(plan, step) + written * (2 if reduces else 1)


def describe_attention(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Fused attention, with its projection where it has one: what the graph's work table says of it."""
    node = plan.graph.nodes[step.main]
    if node.operator == "MatMul":
        return _describe_joined_attention(plan, step, shape)
    query, out = plan.shape(step.inputs[0]), plan.shape(step.outputs[0])
    heads = max(1, step.integer("num_heads", step.integer("q_num_heads", 1)))
    rows = query[-2] if len(query) > 1 else 1
    shape.update(groups=heads, rows=rows, columns=out[-1] if out else 1, depth=(out[-1] if out else 1) / heads)
    shape.update(channels_in=query[-1] if query else 1, parts=shape["batch"] * heads)
    shape["constant_weights"] = float(len(step.inputs) > 1 and plan.is_constant(step.inputs[1]))
    return float(node.macs), float(max(node.flops - 2 * node.macs, count_elements(plan, step)))


def _describe_joined_attention(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Two products with a softmax between them; the second is the step's main node."""
    node = plan.graph.nodes[step.main]
    weights, values = plan.shape(node.inputs[0]), plan.shape(node.inputs[1])
    keys, width = (values[-2], values[-1]) if len(values) > 1 else (1, 1)
    heads = prod(weights[:-2])
    shape.update(groups=heads, rows=prod(weights[:-1]), columns=heads * width, depth=width, axis=keys, parts=heads)
    shape["channels_in"] = heads * width
    return 2.0 * node.macs, 5.0 * prod(weights)


def describe_control(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """If, Loop and Scan themselves: setting up each trip and handing tensors in and out; bodies are kernels apart."""
    node = plan.graph.nodes[step.main]
    nodes = max((len(body.nodes) for body in node.bodies), default=0)
    trips = float(node.trips) if step.operator != "If" else 1.0
    shape.update(rows=trips, axis=nodes, parts=trips, groups=len(node.bodies))
    shape["variant"] = {"Loop": 1.0, "Scan": 2.0}.get(step.operator, 0.0)
    return 0.0, trips * max(1, nodes)


def describe_signal(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Fourier transforms: powers of two by butterflies, other lengths by a convolution of at least twice that length.

    That convolution is three transforms of the next power of two (Bluestein's algorithm): 257 points are worth 512.
    """
    out, data = plan.shape(step.outputs[0]), plan.shape(step.inputs[0])
    length = step.integer("frame_length", 0) or (out[-2] if len(out) > 1 else 1)
    bins = max(2, 2 * (out[-2] - 1)) if len(out) > 1 else 2
    frames = prod(out) // max(1, 2 * (out[-2] if len(out) > 1 else 1))
    even = bins & (bins - 1) == 0
    points = bins if even else 1 << (2 * bins - 2).bit_length()
    shape.update(rows=frames, axis=bins, columns=length, parts=frames, variant=float(even), channels_in=prod(data))
    return 0.0, frames * 5.0 * points * log2(points) * (1 if even else 3)


def describe_sample(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """GridSample and pooled regions: a few reads at computed places for each output."""
    out = plan.shape(step.outputs[0])
    mode = str(step.attributes.get("mode", "linear"))
    taps = 1.0 if mode == "nearest" else 40.0 if "cubic" in mode else 10.0
    samples = max(1, step.integer("sampling_ratio", 0)) ** 2
    shape.update(
        run=prod(out[2:]), parts=prod(out[:2]), element_cost=taps * samples, variant=float("Roi" in step.operator)
    )
    return 0.0, count_elements(plan, step) * taps * samples
