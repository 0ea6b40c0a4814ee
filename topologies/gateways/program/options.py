"""What a user chooses about a program: its command, with placeholders for what it has to know."""

from __future__ import annotations

from pydantic import Field

from controller.settings import ConfigurationError
from topologies.gateways.app import options as of_app
from topologies.gateways.app import placeholders
from topologies.gateways.promises import Options

PLACEHOLDERS = (
    *("inside", "outside", "external", "mac", "lan_ip", "lan_network", "wan_ip", "wan_network", "next_hop"),
    *("external_ip", "first_port", "last_port", "tcp_idle_timeout", "tcp_open_timeout", "tcp_close_timeout"),
    *("tcp_rst_timeout", "udp_timeout", "icmp_timeout"),
)
"""The facts that a command may name in braces."""
WAY = "--set program='./nat {inside} {outside} {external}'"


class ProgramOptions(Options):
    """What can be chosen about somebody's program only."""

    program: str | None = Field(
        None, description="the command of a NAT with two network interfaces: ./nat {inside} {outside} {external}"
    )


def check(options: ProgramOptions) -> None:
    """Raise ConfigurationError for what cannot be started."""
    if not options.program:
        raise ConfigurationError(f"the gateway program runs somebody's NAT, and needs its command: {WAY}")
    words = command(options)
    of_app.require_program("program", options.program, words, "an interpreter and a file")
    if unknown := [name for name in placeholders.names(words) if name not in PLACEHOLDERS]:
        raise ConfigurationError(
            f"setting program={options.program!r}: nothing is known by the name {{{unknown[0]}}}; "
            f"take {', '.join(f'{{{each}}}' for each in PLACEHOLDERS)}; other names in braces belong in a script"
        )


def command(options: ProgramOptions) -> list[str]:
    """Return the words of the command, files by their whole paths. Raises ConfigurationError."""
    try:
        return of_app.command([options.program or ""])
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace("setting app=", "setting program=", 1)) from None
