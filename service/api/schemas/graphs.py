"""Bodies about graphs and architectures."""

from pydantic import BaseModel

from latcast.schema import TensorSpec
from service.api.schemas.common import In, Name, Text

__all__ = ["ArchitectureRef", "GraphOut"]


class ArchitectureRef(In):
    """A text in a search space."""

    space: Name
    text: Text


class GraphOut(BaseModel):
    """A stored graph; work for one run, sizes in bytes."""

    hash: str
    nodes: int
    operators: dict[str, int]
    macs: int
    flops: int
    parameter_bytes: int
    activation_bytes: int
    arithmetic_intensity: float
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    opset: int
    denormal_weights: bool
    architecture: ArchitectureRef | None
    created_unix_s: float
