"""The unit of systemd that keeps an agent running as it was called."""

import shlex
from collections.abc import Sequence

__all__ = ["SECRETS", "systemd_unit"]

SECRETS = frozenset({"--token", "--key"})
"""Options that stand in the environment's file: everybody may read a unit."""
UNIT = """\
# /etc/systemd/system/latcast-agent.service: an agent on a device. It ends with 3, for good, where its key is refused.
[Unit]
Description=latcast agent
After=network-online.target
Wants=network-online.target

[Service]
User=latcast
StateDirectory=latcast
StateDirectoryMode=0700
EnvironmentFile={dash}/etc/latcast/agent.env
ExecStart={command}
Restart=always
RestartSec=10
RestartPreventExitStatus=3
TimeoutStopSec=120
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"""
STATE = "/var/lib/latcast"


def systemd_unit(program: str, options: Sequence[str], *, needs_environment: bool = False) -> str:
    """The text of the unit.

    Args:
        program: path of `latcast`.
        options: of `latcast agent`; its state lies in systemd's folder, and secrets are left out.
        needs_environment: whether `/etc/latcast/agent.env` has to be there, as it holds the server or a token.
    """
    kept = _without(options, {*SECRETS, "--state", "--print-unit"})
    command = shlex.join([program, "agent", "--state", STATE, *kept]).replace("%", "%%")
    return UNIT.format(command=command, dash="" if needs_environment else "-")


def _without(options: Sequence[str], names: set[str]) -> list[str]:
    kept: list[str] = []
    rest = iter(options)
    for option in rest:
        name, equals, _ = option.partition("=")
        if name not in names:
            kept.append(option)
        elif not equals and name != "--print-unit":
            next(rest, None)
    return kept
