"""What people call those who reported rows."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.db.tables import Agent, Device
from service.fleet import access
from service.measurements.columns import NO_AGENT
from service.measurements.sources import SHOWN, names_of
from tests.service.helpers import World


def test_agents_go_by_their_devices_and_two_of_one_are_told_apart(world: World) -> None:
    world.agent()
    with world.database.write.begin() as session:
        agent = session.scalars(select(Agent)).one()
        assert names_of(session, [agent.id]) == {agent.id: "bench", NO_AGENT: "a public table, or unknown"}
        key = second_key(session, agent)
        other = Agent(device_id=agent.device_id, api_key_id=key)
        session.add(other)
        session.flush()
        both = names_of(session, [agent.id, other.id])
        assert both[agent.id] == f"bench …{agent.id[-SHOWN:]}"
        assert both[agent.id] != both[other.id]
        assert names_of(session, ["nobody-000000"])["nobody-000000"] == "an agent that is gone, …000000"


def test_a_hidden_device_keeps_its_name(world: World) -> None:
    world.agent()
    with world.database.write.begin() as session:
        agent = session.scalars(select(Agent)).one()
        session.scalars(select(Device)).one().hidden_unix_s = 1.0
        session.flush()
        assert names_of(session, [agent.id])[agent.id] == "bench"


def second_key(session: Session, agent: Agent) -> str:
    """Id of a second key for the agent's device."""

    return access.create_key(session, scope="agent", name=agent.device_id)[0].id
