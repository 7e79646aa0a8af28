"""The unit that an agent prints runs it as it was called, without what is secret."""

from typer.testing import CliRunner

from service.agent.unit import systemd_unit


def command_of(unit: str) -> str:
    (line,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
    return line.removeprefix("ExecStart=")


def test_options_stay_and_secrets_go() -> None:
    options = [
        "--server",
        "https://farm",
        "--token",
        "latcast_x",
        "--name",
        "desk 4",
        "--print-unit",
        "--token=latcast_y",
    ]
    unit = systemd_unit("/opt/latcast", [*options, "--state", "/home/me", "--hours", "20:00-06:00"])
    assert command_of(unit) == (
        "/opt/latcast agent --state /var/lib/latcast --server https://farm --name 'desk 4' --hours 20:00-06:00"
    )
    assert "latcast_" not in unit
    assert "EnvironmentFile=-/etc/latcast/agent.env" in unit


def test_percent_signs_are_no_specifiers_of_systemd() -> None:
    assert command_of(systemd_unit("latcast", ["--name", "50%h"])).endswith("--name 50%%h")


def test_the_command_prints_it() -> None:
    from service.cli.main import app

    answer = CliRunner().invoke(app, ["agent", "--print-unit"])
    assert answer.exit_code == 0
    assert "\n[Service]\nUser=latcast\n" in answer.output
