"""Every setting of the service, in one object that is passed in."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from latcast.schema import InputError
from latcast.schema.quoting import at_home, unquoted

__all__ = ["Settings", "read_settings"]

Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """Read from the environment (`LATCAST_` and the name in capitals) where not given.

    `docs/reference/configuration.md` explains each setting.
    """

    model_config = SettingsConfigDict(env_prefix="LATCAST_", frozen=True, extra="ignore", env_ignore_empty=True)

    data_dir: Path = Field(Path("latcast-data"), description="Folder of the embedded database.")
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite at `latcast.db` in `data_dir`.")

    host: str = Field("127.0.0.1", description="Address to listen on; other than loopback needs keys.")
    port: int = Field(8321, ge=0, le=65535, description="Port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Processes that serve; limits but those of rates are of each.")
    forwarded_allow_ips: str = Field(
        "", description="Proxies, separated by commas, whose X-Forwarded-For is believed; none by default."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Names, separated by commas, by which the service may be called beside loopback ones."
    )
    require_keys: bool = Field(False, description="Refuse calls without a key even before the first key is made.")
    root_path: str = Field("", description="Prefix of the paths at which a proxy offers the service, like /latcast.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins, separated by commas, whose pages may call the API; none by default."
    )
    log_format: Literal["console", "json"] = Field("console", description="`console` or `json`.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")

    enrolment_ttl_s: Seconds = Field(3600.0, description="How long an enrolment token is valid, in seconds.")
    lease_seconds: Seconds = Field(120.0, description="How long a worker may stay silent before its job returns.")
    agent_gone_seconds: Seconds = Field(
        7 * 86_400.0, description="After so long a silence of its agents a device's targets are no longer offered."
    )
    unoffered_job_seconds: Seconds = Field(
        600.0, description="How long a job waits for an agent after nobody offers its target any more."
    )
    max_attempts: int = Field(3, ge=1, description="How often a job is tried before it fails.")
    max_lease_wait_s: Seconds = Field(30.0, description="Longest that a call for a job may wait, in seconds.")
    tick_seconds: Seconds = Field(0.5, description="How often expired leases and the service's own jobs are looked at.")
    learn_seconds: float = Field(
        0.3,
        ge=0,
        description="How often new measurements are looked for, to score forecasts and adapt to them; 0: never.",
    )

    embedded_worker: bool = Field(True, description="Train in a child process of `latcast serve`.")
    agents_process: bool = Field(
        True, description="Serve agents that call often in another process than forecasts, where one process serves."
    )
    training_threads: Count = Field(1, description="Threads of a training that one process does.")
    training_workers: Count = Field(1, description="Processes of a training, each with one thread.")
    ray_address: str = Field("", description="Ray cluster that does trainings in place of processes.")
    job_processes: int = Field(
        1, ge=1, le=64, description="Processes of `latcast serve` that do its own jobs, such as adaptations."
    )

    max_body_bytes: Bytes = Field(16 * 2**20, description="Largest request body, apart from models.")
    max_model_bytes: Bytes = Field(256 * 2**20, description="Largest ONNX upload in bytes.")
    max_text_bytes: Bytes = Field(2 * 2**20, description="Largest JSON of a call for forecasts, without its models.")
    max_json_values: int = Field(200_000, ge=1000, description="Most values in a JSON body, apart from reports.")
    max_report_values: int = Field(400_000, ge=1000, description="Most values in an agent's report.")
    max_json_depth: int = Field(64, ge=8, le=128, description="How deep a JSON body may be nested.")
    max_predict_items: int = Field(1000, ge=1, le=10_000, description="Most items in one call for forecasts.")
    max_predict_columns: int = Field(
        10_000, ge=1, le=10_000, description="Most networks in one call for forecasts in columns."
    )
    forecast_cache_bytes: Bytes = Field(
        128 * 2**20, description="Most memory for forecasts of texts, which are kept while nothing of a target changes."
    )
    max_uploads: Count = Field(4, description="Bodies above 256 KiB that come in at a time.")
    max_parses: Count = Field(2, description="Large JSON bodies that are parsed at a time.")
    max_text_calls: Count = Field(16, description="Forecasts of texts at a time.")
    max_model_calls: Count = Field(4, description="Calls at a time that may read a model.")
    max_read_calls: Count = Field(32, description="Look-ups at a time.")
    max_write_calls: Count = Field(8, description="Calls that write at a time.")
    max_report_calls: Count = Field(64, description="Small reports of agents at a time; they are written together.")
    max_exports: Count = Field(2, description="Data sets, and nodes of graphs, that are written out at a time.")
    max_waiting_leases: Count = Field(256, description="Agents that wait for a job at a time.")
    max_event_streams: Count = Field(128, description="Open event streams.")
    max_event_streams_each: Count = Field(16, description="Open event streams of one key, or address without a key.")
    max_connections: Count = Field(512, description="Open connections; fewer where the system allows fewer files.")
    max_connections_each: Count = Field(256, description="Open connections of one address, proxies excepted.")
    max_unread_bytes: Bytes = Field(
        128 * 2**20, description="Most memory for answers that their callers do not read as fast as they come."
    )
    header_timeout_s: Seconds = Field(15.0, description="How long the head of a request may take, in seconds.")
    body_timeout_s: Seconds = Field(
        30.0, description="How long a body may pause, or a reader of an answer, in seconds."
    )
    max_page_size: int = Field(1000, ge=1, description="Most rows on one page.")
    reader_workers: int = Field(2, ge=1, le=64, description="Models that are read at a time, each in a process.")
    forecast_threads: int = Field(2, ge=1, le=64, description="Threads that share the forecasts of one large call.")
    rehearse: bool = Field(
        True,
        description="Get to know the search spaces for targets that were adapted, while nobody waits for forecasts.",
    )
    reader_memory_bytes: Bytes = Field(900 * 2**20, description="Memory that each of these processes may take.")
    reader_timeout_s: Seconds = Field(30.0, description="Time for one model, of wall-clock and of the processor.")
    predictor_cache_bytes: Bytes = Field(512 * 2**20, description="Most memory for predictors that are kept.")
    column_cache_bytes: Bytes = Field(
        512 * 2**20, description="Most memory for columns of measurements, which lists and charts of targets read."
    )
    cache_bytes: Bytes = Field(128 * 2**20, description="Most memory for what was read of graphs.")
    rate_per_second: float | None = Field(
        None,
        ge=0,
        description="Calls per second for each key or address; 0: no limit. Left out: 100, and no limit for this "
        "machine's own callers while the service has no keys.",
    )
    forecasts_per_second: float = Field(
        100_000.0,
        ge=0,
        description="Forecasts per second for each key or address, as many again at once; 0: no limit. None for "
        "callers without a limit of calls.",
    )
    rate_burst: int = Field(400, ge=1, description="Calls that may come at once before the rate counts.")

    @field_validator("*", mode="before")
    @classmethod
    def _unquote(cls, value: object) -> object:
        return unquoted(value) if isinstance(value, str) else value

    @field_validator("data_dir")
    @classmethod
    def _at_home(cls, value: Path) -> Path:
        """No shell has replaced the ~ of a variable that a unit, a container or an env file sets."""
        return at_home(value)

    @field_validator("cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in unquoted(value).split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @property
    def url(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{self.data_dir / 'latcast.db'}"


def read_settings(**options: Any) -> Settings:
    """The settings; an option that is None is read from the environment.

    Raises:
        InputError: values that settings cannot have. They are not repeated, for they may be secret.
    """
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
    except SettingsError as error:
        problems = [str(error)]
    raise InputError(
        f"Settings cannot be used: {'; '.join(problems)}. They are options of `latcast serve`, or variables such as "
        "LATCAST_PORT; docs/reference/configuration.md lists them."
    )
