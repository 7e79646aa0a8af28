"""Bodies about graphs and architectures."""

from pydantic import BaseModel, ConfigDict, Field

from latcast.schema import TensorSpec
from service.api.schemas.common import In, Name, Text

__all__ = ["ArchitectureRef", "GraphOut", "NodeOut", "NodesOut"]


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
    unknown_macs_nodes: int = Field(
        0, description="Nodes whose MACs are unknown, as a size depends on values; they count as nothing."
    )
    parameters: dict[str, int] = Field(
        {}, description="Elements of all constants by element type, as the file stores them."
    )
    parameter_bytes: int
    activation_bytes: int
    arithmetic_intensity: float
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    opset: int
    denormal_weights: bool
    precision: str = Field(
        "",
        description="What the file itself computes in: fp32, fp16, int8, …. A target's precision is what its runtime "
        "makes of a file of fp32. Empty for graphs that version 0.1 stored.",
    )
    remarks: list[str] = Field([], description="What to know before trusting a latency of it, a sentence each.")
    architecture: ArchitectureRef | None
    created_unix_s: float


class NodeOut(BaseModel):
    """One operator of a graph; work for one run, sizes in bytes."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="In the model, or that of its first output.")
    operator: str
    inputs: list[int] = Field(description="Places of the nodes whose outputs it reads.")
    shape: list[int] | None = Field(description="Of its first output; null where nobody can tell.")
    dtype: str
    flops: int
    parameter_bytes: int
    input_bytes: int
    output_bytes: int


class NodesOut(BaseModel):
    """The nodes of a graph in the order of execution, which is that of `node` in timings of kernels."""

    hash: str
    nodes: list[NodeOut]
