"""How large a model may be: what contains attacks and admits real networks."""

from dataclasses import dataclass
from math import log10

from latcast.schema import ModelLimitError

__all__ = ["Limits", "spelled"]

MOST_BITS = 128
"""Numbers of more bits are not written with all their digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps on a model, checked before shapes are inferred; exceeding one is a `ModelLimitError` that names it.

    Args:
        model_bytes: size of the file.
        nodes: nodes in all graphs together, local functions expanded and bodies included.
        initializers: initializers and Constant nodes in all graphs together.
        declared: tensors whose type (`value_info`) or quantisation is declared, in all graphs together.
        opsets: operator sets that are imported.
        functions: local functions.
        node_inputs: inputs or outputs of one node.
        graph_inputs: inputs or outputs of one graph.
        depth: how deep bodies and local functions may be nested.
        rank: dimensions of one tensor.
        tensor_bytes: size of one tensor, constants and activations alike.
        constant_bytes: all constants together, whether the file holds or computes them.
        weight_bytes: all constants without values together, which take no memory: weights that were left out.
        name_bytes: one name, operator type, domain or symbol, in UTF-8.
        attributes: attributes of one node.
        attribute_elements: numbers or strings in one attribute (tree ensembles keep their trees there).
        attribute_bytes: one string attribute.
    """

    model_bytes: int = 2**30
    nodes: int = 100_000
    initializers: int = 100_000
    declared: int = 400_000
    opsets: int = 1000
    functions: int = 10_000
    node_inputs: int = 4096
    graph_inputs: int = 4096
    depth: int = 16
    rank: int = 32
    tensor_bytes: int = 2 * 2**30
    constant_bytes: int = 2 * 2**30
    weight_bytes: int = 2**40
    name_bytes: int = 4096
    attributes: int = 128
    attribute_elements: int = 10_000_000
    attribute_bytes: int = 2**20

    def check(self, limit: str, found: int, where: str = "") -> None:
        """Refuse `found` above the limit of that name.

        Args:
            limit: name of a field.
            found: what the model has.
            where: whose it is, for the message.

        Raises:
            ModelLimitError: it is above.
        """
        allowed: int = getattr(self, limit)
        if found > allowed:
            said = spelled(found)
            raise ModelLimitError(limit, allowed=allowed, found=f"{said} ({where})" if where else said)


def spelled(number: int) -> str:
    """A number with its digits, or, where there are many, about how many: Python refuses to write thousands of them."""
    bits = number.bit_length()
    return f"{number:,}" if bits <= MOST_BITS else f"about 10^{round(bits * log10(2))}"
