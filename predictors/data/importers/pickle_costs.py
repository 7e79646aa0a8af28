"""What loading a pickle will take, found by following its program without running it.

A few hundred bytes can hold a value that takes years: a tuple of a tuple twice, thirty times over, has 2³⁰ leaves, and
its hash, which every dictionary asks for, visits each. So the stack and the memo of the program are followed with what
a hash of each value costs in place of the value, before anything is built.
"""

import pickletools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["CostlyError", "Costs"]

MAX_HASHED = 2**24
"""Most values that the hashes of all keys visit together."""
MAX_DEPTH = 64
"""Deepest nesting of tuples: their hash calls itself."""
MAX_COLLISIONS = 1000
"""Most keys of one container whose hash another of its keys has: each is compared with all of them."""
MAX_OPCODES = 2**22
"""Longest program: ten times that of the largest published table."""
INTEGERS = range(-(2**63), 2**64)
_INTEGERS_OF_ANY_SIZE = {"INT", "LONG", "LONG1", "LONG4"}


class CostlyError(Exception):
    """A pickle would take more than any table does."""


class _Value:
    """What stands for a value: what its hash visits, how deep, an equal number for equal hashes, and its keys' such."""

    __slots__ = ("cost", "depth", "keys", "repeated", "token")

    def __init__(self, token: object, cost: int = 1, depth: int = 0) -> None:
        self.token, self.cost, self.depth = token, cost, depth
        self.keys, self.repeated = set[object](), 0

    def add(self, token: object) -> None:
        self.repeated += token in self.keys
        if self.repeated > MAX_COLLISIONS:
            raise CostlyError("many of its keys share one hash.")
        self.keys.add(token)


class Costs:
    """The stack and the memo of a pickle's program."""

    def __init__(self) -> None:
        self._stack, self._marks, self._memo = list[_Value](), list[int](), dict[int, _Value]()
        self._opcodes = self._hashed = 0

    def follow(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Take the next step of the program.

        Args:
            opcode: of the step.
            argument: as `pickletools.genops` reads it.

        Raises:
            CostlyError: the program is too long, or what it builds too deep, too large a number or too costly to hash.
            LookupError: the program takes what it has not put on its stack.
        """
        self._opcodes += 1
        if self._opcodes > MAX_OPCODES:
            raise CostlyError(f"it has more than {MAX_OPCODES:,} steps.")
        if opcode.name in _INTEGERS_OF_ANY_SIZE and argument not in INTEGERS:
            raise CostlyError("it holds an integer of more than 64 bits, as no table of latencies does.")
        step = _STEPS.get(opcode.name)
        if step is None:
            self._other(opcode, argument)
        else:
            step(self, argument)

    def _other(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """A step that takes values from the stack and puts others there, as its description says."""
        before = opcode.stack_before
        if pickletools.markobject in before:
            self._since_mark()
            before = before[: before.index(pickletools.markobject)]
        self._take(len(before))
        constant = None if before else opcode.name if argument is None else hash(argument)
        for _ in opcode.stack_after:
            self._stack.append(self._unique() if constant is None else _Value(constant))

    def _unique(self) -> _Value:
        """What stands for a value that nothing is known of: one that is built, or a container."""
        return _Value(("built", self._opcodes))

    def _take(self, count: int) -> list[_Value]:
        if count > len(self._stack):
            raise IndexError("its stack is empty")
        at = len(self._stack) - count
        taken = self._stack[at:]
        del self._stack[at:]
        return taken

    def _since_mark(self) -> list[_Value]:
        return self._take(len(self._stack) - self._marks.pop())

    def _mark(self, _argument: Any) -> None:
        self._marks.append(len(self._stack))

    def _pop(self, _argument: Any) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._take(1)

    def _duplicate(self, _argument: Any) -> None:
        self._stack.append(self._stack[-1])

    def _put(self, index: Any) -> None:
        self._memo[len(self._memo) if index is None else int(index)] = self._stack[-1]

    def _get(self, index: Any) -> None:
        self._stack.append(self._memo[int(index)])

    def _tuple(self, parts: Sequence[_Value]) -> None:
        depth = 1 + max((part.depth for part in parts), default=0)
        if depth > MAX_DEPTH:
            raise CostlyError(f"it nests tuples more than {MAX_DEPTH} deep.")
        token = hash(tuple(part.token for part in parts))
        self._stack.append(_Value(token, 1 + sum(part.cost for part in parts), depth))

    def _hash(self, container: _Value, keys: Sequence[_Value]) -> None:
        self._hashed += sum(key.cost for key in keys)
        if self._hashed > MAX_HASHED:
            raise CostlyError(f"its keys would take more than {MAX_HASHED:,} steps to hash.")
        for key in keys:
            container.add(key.token)

    def _set_items(self, keys: Sequence[_Value]) -> None:
        self._hash(self._stack[-1], keys)

    def _new(self, keys: Sequence[_Value]) -> None:
        """A dictionary or set that is made with its keys; a set's own hash visits what its keys' do."""
        value = self._unique()
        value.cost += sum(key.cost for key in keys)
        self._hash(value, keys)
        self._stack.append(value)


_STEPS: Mapping[str, Callable[[Costs, Any], object]] = {
    "MARK": Costs._mark,
    "POP": Costs._pop,
    "DUP": Costs._duplicate,
    **dict.fromkeys(("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"), Costs._put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Costs._get),
    "TUPLE": lambda costs, _: costs._tuple(costs._since_mark()),
    **{f"TUPLE{n}": lambda costs, _, n=n: costs._tuple(costs._take(n)) for n in (1, 2, 3)},  # type: ignore[misc]
    # These leave what they change where it is, even where they change nothing of it.
    "APPEND": lambda costs, _: costs._take(1),
    "APPENDS": lambda costs, _: costs._since_mark(),
    "BUILD": lambda costs, _: costs._take(1),
    "SETITEM": lambda costs, _: costs._set_items(costs._take(2)[:1]),
    "SETITEMS": lambda costs, _: costs._set_items(costs._since_mark()[::2]),
    "ADDITEMS": lambda costs, _: costs._set_items(costs._since_mark()),
    "DICT": lambda costs, _: costs._new(costs._since_mark()[::2]),
    "FROZENSET": lambda costs, _: costs._new(costs._since_mark()),
}
