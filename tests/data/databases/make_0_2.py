"""Makes `0_2_farm.sqlite3` with version 0.2 (migration 0010): `python -m tests.data.databases.make_0_2`.

Two devices, one of them hidden; an agent in quarantine; keys with ends and limits; measurements with kernels and
counters, some hidden and some without samples; a public table, jobs of several states, an audit. The next version makes
a file of its own and leaves this one as it is.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from fastapi.testclient import TestClient

from latcast.client import Client
from latcast.schema import Failure, Microbench
from service.app import create_app
from service.curation.pruning import prune
from service.db.backup import back_up
from service.db.session import create_engine_for, upgrade
from service.settings import Settings
from tests.service.helpers import DEVICE, OTHER_TARGET, TARGET, DirectReader, FakeForecaster, World, add_import

FILE = Path(__file__).with_name("0_2_farm.sqlite3")


def main() -> None:
    """Fill a database through the API, and back it up into the file."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), rate_per_second=0, log_level="error", allowed_hosts=("testserver",))
        engine = create_engine_for(settings)
        upgrade(engine)
        app = create_app(settings, reader=DirectReader(), forecaster=FakeForecaster())
        with TestClient(app) as http:
            client = Client("http://testserver", transport=http._transport)
            _fill(World(app=app, settings=settings, database=app.state.parts.database, http=http, client=client))
        FILE.unlink(missing_ok=True)
        back_up(engine, FILE)
        engine.dispose()


def _fill(world: World) -> None:
    agent = world.agent([TARGET, OTHER_TARGET])
    for width in range(1, 5):
        world.measure(agent, width, ms=float(width), sentinel_ms=(1.0, 1.1))
    prune(world.database, samples_before_unix_s=time.time())
    for width in (5, 6):
        world.measure(agent, width, ms=float(width), noisy=width == 6)
    agent.put_microbench(Microbench(target=TARGET, values={"gemm_ms": 1.0}, spread={"gemm_ms": 0.0}))
    world.client.profile(TARGET.id, graphs=[world.graph(7), world.graph(8)], priority=1)
    job = agent.lease(wait_s=0)
    assert job is not None
    agent.failure(job["id"], job["lease_token"], Failure(stage="open", message="no kernel"))
    add_import(world)
    other = replace(DEVICE, fingerprint="machine-2", name="old")
    world.client.register(other, [replace(TARGET, device="machine-2")])
    world.client.hide("devices", "old")
    first = next(iter(world.client.measurements(TARGET.id, sort="id")))
    world.client.hide_measurements(ids=[first["id"]])
    world.client.hide_measurements(agent="bench", since_unix_s=time.time() + 3600)
    admin = world.client.create_key("admin", name="ada", owner="ada")
    world.client.key = admin["key"]
    world.client.create_key("measure", name="loop", owner="bob", expires_in_s=86_400.0, max_open_jobs=5)
    revoked = world.client.create_key("client", name="gone")
    world.client.revoke_key(revoked["id"])
    world.client.adapt(TARGET.id, samples=4)


if __name__ == "__main__":
    main()
