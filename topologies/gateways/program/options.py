"""What a user chooses about a program: its command, with placeholders for what it has to know."""

from __future__ import annotations

import string

from pydantic import Field

from controller.settings import ConfigurationError
from topologies.gateways.app import options as of_app
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
    if not words or not of_app.is_executable(words[0]):
        raise ConfigurationError(
            f"setting program={options.program!r}: there is no program {(words or [''])[0]!r} that could be "
            "executed; give the path of one (chmod +x), or an interpreter and a file"
        )
    of_app.require_interpreter("program", words[0])
    try:
        named = [name for word in words for _, name, _, _ in string.Formatter().parse(word) if name is not None]
    except ValueError as error:
        raise ConfigurationError(
            f"setting program={options.program!r}: {error}; write {{{{ for a literal brace"
        ) from None
    if unknown := [name for name in named if name not in PLACEHOLDERS]:
        raise ConfigurationError(
            f"setting program={options.program!r}: nothing is known by the name {{{unknown[0]}}}; "
            f"take {', '.join(f'{{{each}}}' for each in PLACEHOLDERS)}"
        )


def command(options: ProgramOptions) -> list[str]:
    """Return the words of the command, files by their whole paths. Raises ConfigurationError."""
    try:
        return of_app.command([options.program or ""])
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace("setting app=", "setting program=", 1)) from None
