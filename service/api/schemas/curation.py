"""Bodies about what is taken out of sight, brought back, renamed and merged."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas.common import In, Name

__all__ = ["GraphRowsOut", "HiddenRowsOut", "MergeIn", "RenameIn", "RowChoiceIn"]

Time = Annotated[float, Field(ge=0, le=1e11)]


class RowChoiceIn(In):
    """Which measurements: those that everything named here fits to. Ids, an agent, a target or a graph are needed."""

    ids: list[Annotated[int, Field(ge=0, lt=2**63)]] = Field(default_factory=list, max_length=1000)
    agent: Name | None = Field(None, description="Id of an agent, or id or name of a device, for all of its agents.")
    target: Name | None = None
    graph: Name | None = None
    since_unix_s: Time | None = Field(None, description="Stored then or later.")
    until_unix_s: Time | None = Field(None, description="Stored then or earlier; without it an agent is in quarantine.")


class HiddenRowsOut(BaseModel):
    """What was hidden or shown."""

    model_config = ConfigDict(from_attributes=True)
    rows: int = Field(description="How many measurements.")
    targets: list[str] = Field(description="Whose.")
    agents: list[str] = Field(description="Agents whose quarantine begins or ends.")
    adaptations_ended: list[str] = Field(description="Adaptations that had learned from what is hidden now.")
    adaptations_back: list[str] = Field(description="Adaptations that answer again.")


class GraphRowsOut(BaseModel):
    """A graph, and how many measurements were hidden or shown with it."""

    graph: str
    rows: int


class RenameIn(In):
    """A name; an empty one leaves the name to the agent again."""

    name: Name


class MergeIn(In):
    """What takes everything over."""

    into: Name
