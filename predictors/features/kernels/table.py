"""Graph → the kernels that a runtime will execute, as records and as arrays."""

from collections import ChainMap
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from math import isfinite
from operator import itemgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Graph, GraphHash, ModelLimitError, Node, UnsupportedGraphError
from predictors.features.kernels.cost.classes import CLASSES
from predictors.features.kernels.cost.reuse import Reads, carried_unchanged, reuse, working_set
from predictors.features.kernels.cost.shapes import SHAPE_FEATURES
from predictors.features.kernels.cost.work import CALL, Kernel, describe_reorder, describe_step
from predictors.features.kernels.rewrite.fusion import fuse
from predictors.features.kernels.rewrite.half_precision import widened
from predictors.features.kernels.rewrite.int8_conversion import quantise_graph
from predictors.features.kernels.rewrite.layout import Border, assign_layouts
from predictors.features.kernels.rewrite.openvino_fusion import is_view, join_chains, take_in_views
from predictors.features.kernels.rewrite.plan import MOST_STEPS, FusionPlan, Step
from predictors.features.kernels.traits import DEFAULT_TRAITS, ExecutionTraits, Level, RewriteRules
from predictors.networks import Feature, GraphFeatures, Network
from profilers.caching import Cache

__all__ = [
    "FEATURE_VERSION",
    "KERNELS",
    "KERNEL_NAMES",
    "WORK_FEATURES",
    "KernelTable",
    "column_places",
    "kernel_names",
    "kernel_operators",
    "kernel_table",
    "kernels_feature",
    "names_feature",
    "part_kernels",
    "predict_kernels",
    "read_kernels",
    "read_names",
    "read_table",
    "stack_tables",
    "table_of",
]

FEATURE_VERSION = 7
"""Rises whenever the same graph would give other arrays; part of every artifact that uses them."""

KERNELS, KERNEL_NAMES = "kernels", "kernel_names"
"""Names of the features; rules come after them."""

WORK_FEATURES: tuple[str, ...] = (
    "macs", "operations", "input_bytes", "output_bytes", "parameter_bytes", "elements",
    "graph_parameter_bytes", "graph_activation_bytes",
)  # fmt: skip
"""Columns of `KernelTable.values` that come before `SHAPE_FEATURES`."""

_IN_8_BITS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger",
              "MatMulNBits", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}  # fmt: skip
"""A graph with any of these, or a QLinear operator, is quantised already, and is not quantised again."""
_TRIP = "Trip"
"""Operator of the kernel that stands for beginning each trip of a loop."""
_PASSED_ON, _PASSING_SHARE = "Identity", 0.25
"""The operator that hands a state on as it came, and its part of a trip: .11 µs of any size, beside .46 µs."""
_CONVERSIONS = {"reorder", "transpose"}
"""Classes of changes of layout, which stand before what they are made for."""
_Names = ChainMap[str, Hashable]
"""Names of constants, from the inmost graph to the outmost, with what tells each from others."""
_NAMES = (*WORK_FEATURES, *SHAPE_FEATURES)
_SIGNED = {"axis", "padding"}
_COLUMN = {name: index for index, name in enumerate((*WORK_FEATURES, *SHAPE_FEATURES))}
_SHAPE_OF = itemgetter(*SHAPE_FEATURES)
CACHE_BYTES = 512 * 2**20
"""What the tables that are kept may take: a data set of thousands of graphs is read again and again in training."""
_CLASS_INDEX = {name: index for index, name in enumerate(CLASSES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelTable:
    """Kernels as arrays; n kernels of one or of many graphs.

    Args:
        kinds: int64 (n,), index into `CLASSES`.
        operators: n operator names.
        values: float64 (n, len(WORK_FEATURES) + len(SHAPE_FEATURES)), as they are: sizes, counts, flags.
        repeats: float64 (n,), how often each runs in one run of its graph.
        known: bool (n,), whether the work model was made for it.
        warm: float64 (n,), 0–1, the share of its executions that find their parameters and code in the caches since
            they were there in the same run (`predictors.features.kernels.cost.reuse`).
        undecided: bool (n,), whether how much it computes depends on values.
        unsigned: bool (n,), whether it is a product in 8 bits with weights of uint8.
        graph: int64 (n,), which graph each belongs to.
    """

    kinds: NDArray[np.int64]
    operators: tuple[str, ...]
    values: NDArray[np.float64]
    repeats: NDArray[np.float64]
    known: NDArray[np.bool_]
    warm: NDArray[np.float64]
    undecided: NDArray[np.bool_]
    unsigned: NDArray[np.bool_]
    graph: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kinds)

    def part(self, kernels: slice) -> "KernelTable":
        """Some of the kernels in a row."""
        return KernelTable(**{each.name: getattr(self, each.name)[kernels] for each in fields(self)})

    def pick(self, kernels: NDArray[np.int64]) -> "KernelTable":
        """The kernels at these places, in their order."""
        arrays = {each.name: getattr(self, each.name)[kernels] for each in fields(self) if each.name != "operators"}
        return KernelTable(operators=tuple([self.operators[place] for place in kernels.tolist()]), **arrays)

    @property
    def size_bytes(self) -> int:
        """Bytes that it takes in memory, about."""
        return self.values.nbytes + 40 * len(self) + 500

    def column(self, name: str) -> NDArray[np.float64]:
        """One feature of all kernels, float64 (n,)."""
        return np.asarray(self.values[:, _COLUMN[name]])


class InParts(Protocol):
    """Kernels of a network in another form, of which the table can be made."""

    def whole(self) -> KernelTable:
        """The table."""
        ...


def column_places(names: Sequence[str]) -> NDArray[np.int64]:
    """Where these features stand in `KernelTable.values`, int64 (names,)."""
    return np.array([_COLUMN[name] for name in names], dtype=np.int64)


def predict_kernels(graph: Graph, traits: ExecutionTraits = DEFAULT_TRAITS) -> tuple[Kernel, ...]:
    """The kernels that a CPU runtime is expected to execute, in execution order.

    Kernels of a body (If, Loop, Scan, a function) carry the node that holds it, and run as often as it does;
    of an If the branch with more work is taken to run, branches of equal work half the time each. The first kernel is
    always the call itself.

    Raises:
        ModelLimitError: it has more kernels than are told apart.
        UnsupportedGraphError: a node's inputs, attributes and shapes do not fit its operator.
    """
    return read_kernels(graph, traits.rewrite_rules)


def read_kernels(graph: Graph, rules: RewriteRules) -> tuple[Kernel, ...]:
    """The kernels under these rules.

    Raises:
        UnsupportedGraphError: the rules stumble over what the reader of files does not check.
    """
    try:
        return _rewritten(graph, rules)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise UnsupportedGraphError(
            "The kernels of the network cannot be foreseen: some node has too few inputs, or inputs and attributes "
            "that do not fit its operator. Check the model with onnx.checker.check_model."
        ) from error


def _rewritten(graph: Graph, rules: RewriteRules) -> tuple[Kernel, ...]:
    if rules.precision == "fp32" or any(_in_8_bits(node.operator) for node in graph.nodes):
        return (CALL, *_executed_kernels(graph, rules))
    plan = FusionPlan(graph)
    fuse(plan, Level.BASIC)
    quantised, owners = quantise_graph(plan, rules.precision)
    return (CALL, *(_renumbered(kernel, owners) for kernel in _executed_kernels(quantised, rules)))


def _in_8_bits(operator: str) -> bool:
    return operator in _IN_8_BITS or operator.startswith("QLinear")


def _renumbered(kernel: Kernel, owners: Sequence[tuple[int, ...]]) -> Kernel:
    """The kernel, with the nodes of the graph before it was quantised or widened."""
    several = {id(owners[node]): owners[node] for node in kernel.nodes}
    if len(several) == 1:
        (nodes,) = several.values()  # the same tuple for all that was written for a step, as they may be many
    else:
        nodes = tuple(sorted({old for those in several.values() for old in those}))
    return replace(kernel, nodes=nodes)


def _executed_kernels(graph: Graph, rules: RewriteRules, scope: "_Scope | None" = None) -> tuple[Kernel, ...]:
    """The kernels of a graph, or of a body in the graphs around it."""
    scope = scope or _Scope()
    graph, owners = widened(graph, casts=not rules.joins_chains)
    plan = FusionPlan(graph, scope.constants)
    fuse(plan, rules.level, patterns=owners is None or rules.joins_chains)
    plan.constant.update(tensor for tensor in scope.carried if tensor < len(graph.tensors))
    kernels = _fused_kernels(plan, rules, scope)
    return kernels if owners is None else tuple(_renumbered(kernel, owners) for kernel in kernels)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a body stands.

    Args:
        place: nodes that hold it and the number of the body in each, from the outmost.
        constants: of the graphs around it.
        carried: tensors that a loop carries on unchanged from constants, with what tells each from others.
    """

    place: tuple[tuple[int, int], ...] = ()
    constants: _Names = field(default_factory=ChainMap)
    carried: Mapping[int, Hashable] = field(default_factory=dict)

    def key(self, plan: FusionPlan, tensor: int) -> Hashable:
        """What tells a constant from others, in whichever graph it is read."""
        if tensor in self.carried:
            return self.carried[tensor]
        name = plan.graph.tensors[tensor].name
        return self.constants[name] if tensor in plan.graph.outer and name in self.constants else (self.place, tensor)


def part_kernels(graph: Graph, rules: RewriteRules, border: Border) -> tuple[tuple[Kernel, ...], FusionPlan]:
    """The kernels of a graph that is a part of a larger one, without the call, and the plan that they are of.

    Args:
        graph: in float32, not quantised.
        rules: of precision `fp32`.
        border: where it touches the other parts; changed in place.
    """
    plan = FusionPlan(graph)
    fuse(plan, rules.level)
    return _fused_kernels(plan, rules, _Scope(), border), plan


def _fused_kernels(
    plan: FusionPlan, rules: RewriteRules, scope: _Scope, border: Border | None = None
) -> tuple[Kernel, ...]:
    if rules.joins_chains:
        join_chains(plan)
    reorders = assign_layouts(plan, rules.level, border)
    if rules.joins_chains:
        take_in_views(plan)
    steps = [step for step in plan.steps() if not (rules.joins_chains and is_view(step))]
    keys = partial(scope.key, plan)
    kernels = [
        _passed_on(step) if scope.place and step.operator == _PASSED_ON else describe_step(plan, step, keys)
        for step in steps
        if not _is_function(plan, step.main)
    ]
    kernels += [describe_reorder(plan, reorder) for reorder in reorders]
    nodes, tensors = plan.graph.nodes, plan.graph.tensors
    holders = [step.main for step in steps if nodes[step.main].bodies]
    constants = {tensors[tensor].name: keys(tensor) for tensor in plan.constant} if holders else {}
    kernels = [_without_carried(plan, kernel) if kernel.operator == "Loop" else kernel for kernel in kernels]
    for index in holders:
        kernels += _body_kernels(plan, index, rules, replace(scope, constants=scope.constants.new_child(constants)))
    if len(kernels) > MOST_STEPS:
        raise ModelLimitError("kernels", allowed=MOST_STEPS, found=f"{len(kernels):,}")
    return tuple(
        sorted(kernels, key=lambda kernel: (kernel.anchor, bool(kernel.nodes) or kernel.kind not in _CONVERSIONS))
    )


def _passed_on(step: Step) -> Kernel:
    """The kernel of a state that a body hands on as it came, with its memory; it becomes a part of the trip."""
    return replace(CALL, kind="copy", operator=step.operator, nodes=tuple(step.nodes), anchor=step.position)


def _is_function(plan: FusionPlan, index: int) -> bool:
    node = plan.graph.nodes[index]
    return bool(node.bodies) and node.operator not in {"If", "Loop", "Scan"}


def _body_kernels(plan: FusionPlan, index: int, rules: RewriteRules, outer: _Scope) -> Iterator[Kernel]:
    """The kernels of the bodies of a node that run; `outer` is the scope of its graph."""
    node = plan.graph.nodes[index]
    if (
        not node.trips
    ):  # a loop that never begins: a kernel of no runs would have a time of nothing, without a logarithm
        return
    work = [body.flops for body in node.bodies]
    branches = node.operator == "If"
    running = [place for place, body in enumerate(node.bodies) if not branches or body.flops == max(work)]
    times = node.trips / len(running) if branches else float(node.trips)
    for place in running:
        body = node.bodies[place]
        carried = {
            inside: outer.key(plan, outside)
            for outside, inside in (carried_unchanged(node) if node.operator == "Loop" else ())
            if plan.is_constant(outside)
        }
        scope = _Scope((*outer.place, (index, place)), outer.constants, carried)
        executed = _executed_kernels(body, rules, scope)
        kernels = [kernel for kernel in executed if kernel.operator != _PASSED_ON]
        begun = (0.0 if branches else 1.0) + _PASSING_SHARE * (len(executed) - len(kernels))
        if begun:
            kernels.append(replace(CALL, kind="control", operator=_TRIP, repeats=begun))
        trips, loop_bytes = (1.0 if branches else times), working_set([kernel.reads for kernel in kernels])
        for kernel in kernels:
            reads = kernel.reads.within(trips, loop_bytes)
            yield replace(
                kernel, nodes=(), anchor=index, repeats=kernel.repeats * times, reads=reads,
                undecided=kernel.undecided or _is_open_ended(plan, node),
            )  # fmt: skip


def _is_open_ended(plan: FusionPlan, node: Node) -> bool:
    """Whether values decide how often a Loop runs, which counts as once."""
    return (
        node.operator == "Loop" and node.trips == 1 and not (node.inputs[0] >= 0 and plan.is_constant(node.inputs[0]))
    )


def _without_carried(plan: FusionPlan, loop: Kernel) -> Kernel:
    """A Loop that neither reads nor writes what it carries on unchanged."""
    outsides = {outside for outside, _ in carried_unchanged(plan.graph.nodes[loop.anchor]) if plan.is_constant(outside)}
    size = float(sum([plan.spec(tensor).size_bytes for tensor in outsides]))
    if not size:
        return loop
    left = max(0.0, loop.parameter_bytes - size)
    return replace(
        loop, parameter_bytes=left, output_bytes=max(0.0, loop.output_bytes - size), reads=Reads(others_bytes=left)
    )


def read_table(graph: Graph, rules: RewriteRules) -> KernelTable:
    """The table, as `kernel_table` gives it."""
    return table_of(read_kernels(graph, rules))


def table_of(kernels: Sequence[Kernel]) -> KernelTable:
    """These kernels of one graph as arrays."""
    again = reuse([kernel.reads for kernel in kernels])
    largest = max(kernel.output_bytes for kernel in kernels)
    rows = [
        _row(kernel, (between if kernel is not CALL else again.total_bytes, largest))
        for kernel, between in zip(kernels, again.between_bytes, strict=True)
    ]
    for kernel, row in zip(kernels, rows, strict=True):
        _check(kernel, row)
    width = len(WORK_FEATURES) + len(SHAPE_FEATURES)
    return KernelTable(
        kinds=np.array([_CLASS_INDEX[kernel.kind] for kernel in kernels], dtype=np.int64),
        operators=tuple(kernel.operator for kernel in kernels),
        values=np.array(rows, dtype=np.float64).reshape(len(rows), width),
        repeats=np.array([kernel.repeats for kernel in kernels], dtype=np.float64),
        known=np.array([kernel.known for kernel in kernels], dtype=np.bool_),
        warm=np.array([0.0 if kernel is CALL else share for kernel, share in zip(kernels, again.warm, strict=True)]),
        undecided=np.array([kernel.undecided for kernel in kernels], dtype=np.bool_),
        unsigned=np.array([kernel.unsigned for kernel in kernels], dtype=np.bool_),
        graph=np.zeros(len(kernels), dtype=np.int64),
    )


def _check(kernel: Kernel, row: Sequence[float]) -> None:
    """Sizes and counts are finite and none is negative; an axis and a padding may be."""
    if min(row) >= 0 and isfinite(sum(row)):
        return
    odd = {_NAMES[place] for place, value in enumerate(row) if not isfinite(value) or value < 0}
    if odd - _SIGNED or not all(map(isfinite, row)):
        raise UnsupportedGraphError(
            f"Node {kernel.anchor} ({kernel.operator}) has attributes or shapes that do not fit the operator: its "
            f"{', '.join(sorted(odd))} would be negative or infinite. Check the model with onnx.checker.check_model."
        )


def _row(kernel: Kernel, context: tuple[float, float]) -> list[float]:
    work = [kernel.macs, kernel.operations, kernel.input_bytes, kernel.output_bytes, kernel.parameter_bytes]
    return [*work, kernel.elements, *context, *_SHAPE_OF(kernel.shape)]


_cache: Cache[tuple[GraphHash, RewriteRules], KernelTable] = Cache(CACHE_BYTES, weigh=lambda table: table.size_bytes)


def kernel_table(network: Network, traits: ExecutionTraits = DEFAULT_TRAITS) -> KernelTable:
    """The kernels of one graph as arrays, in the order of `predict_kernels`; kept by the graph's hash and the rules."""
    if isinstance(network, GraphFeatures):
        foreseen: KernelTable | InParts = network.feature(kernels_feature(traits))
        return foreseen if isinstance(foreseen, KernelTable) else foreseen.whole()
    rules = traits.rewrite_rules
    return _cache.get_or_make((network.hash, rules), lambda: read_table(network, rules))


def kernel_operators(network: Network, traits: ExecutionTraits = DEFAULT_TRAITS) -> frozenset[str]:
    """Names of the kernels' operators."""
    if isinstance(network, GraphFeatures):
        return frozenset(network.feature(kernels_feature(traits)).operators)
    return frozenset(kernel_table(network, traits).operators)


def kernels_feature(traits: ExecutionTraits) -> Feature:
    """The table for a target with these traits, as it is asked for in another process."""
    return (KERNELS, *_plain(traits.rewrite_rules))


def kernel_names(network: Network, traits: ExecutionTraits = DEFAULT_TRAITS) -> Sequence[tuple[str, ...]]:
    """Names of the nodes that each kernel covers, or of their outputs where they have none; in the table's order."""
    if isinstance(network, GraphFeatures):
        names: Sequence[tuple[str, ...]] = network.feature(names_feature(traits))
        return names
    return read_names(network, traits.rewrite_rules)


def names_feature(traits: ExecutionTraits) -> Feature:
    """`kernel_names` for a target with these traits, as they are asked for in another process."""
    return (KERNEL_NAMES, *_plain(traits.rewrite_rules))


def read_names(graph: Graph, rules: RewriteRules) -> list[tuple[str, ...]]:
    """The names, as `kernel_names` gives them."""
    return [tuple(_node_name(graph, node) for node in kernel.nodes) for kernel in read_kernels(graph, rules)]


def _node_name(graph: Graph, index: int) -> str:
    node = graph.nodes[index]
    return node.name or next((graph.tensors[output].name for output in node.outputs if output >= 0), node.operator)


def _plain(rules: RewriteRules) -> Feature:
    return int(rules.level), rules.precision, int(rules.joins_chains)


def stack_tables(tables: Sequence[KernelTable]) -> KernelTable:
    """One table of many graphs' kernels; `graph` counts the graphs."""
    if len(tables) == 1:
        return tables[0]  # of graph 0
    width = len(WORK_FEATURES) + len(SHAPE_FEATURES)
    return KernelTable(
        kinds=np.concatenate([np.zeros(0, dtype=np.int64), *(table.kinds for table in tables)]),
        operators=tuple(name for table in tables for name in table.operators),
        values=np.concatenate([np.zeros((0, width)), *(table.values for table in tables)]),
        repeats=np.concatenate([np.zeros(0), *(table.repeats for table in tables)]),
        known=np.concatenate([np.zeros(0, dtype=np.bool_), *(table.known for table in tables)]),
        warm=np.concatenate([np.zeros(0), *(table.warm for table in tables)]),
        undecided=np.concatenate([np.zeros(0, dtype=np.bool_), *(table.undecided for table in tables)]),
        unsigned=np.concatenate([np.zeros(0, dtype=np.bool_), *(table.unsigned for table in tables)]),
        graph=np.repeat(np.arange(len(tables)), [len(table) for table in tables]),
    )
