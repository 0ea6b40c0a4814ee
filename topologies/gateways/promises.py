"""What the author of a stranger's NAT promises of it: settings, which are declared if the user sets them.

A stranger's NAT is not told how to filter, which free port to give, or how to refuse, and the RFCs leave it open.
So nothing is declared of it, and no check asks for it. An author who knows may promise it in the words of the
settings, as in `--set filtering_type=adf`, and the NAT is then held to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from controller.nat.strategies.pooling import POOLINGS
from controller.settings import ConfigurationError, Settings
from topologies.gateways import base
from topologies.gateways.behaviour import PROMISE, Behaviour, Entry, Exhaustion
from topologies.gateways.openflow.facts import KEEPING, ORDERS, TOLD

ANY = "any version"


@dataclass(frozen=True, slots=True)
class Promise:
    """A setting that may be promised: the values that can be, and what is declared then."""

    allowed: tuple[str, ...]
    declared: Callable[[str, str], dict[str, Entry[Any]]]
    """Return the facts by their names, for a value and the source of the promise."""


def _refusal(value: str, source: str) -> dict[str, Entry[Any]]:
    refuses = Entry(Exhaustion(TOLD[value]), source, ANY)
    return {"ports_exhausted": refuses, "state_exhausted": refuses}


def _order(value: str, source: str) -> dict[str, Entry[Any]]:
    return {
        "keeps_source_port": Entry(value in KEEPING, source, ANY),
        "port_order": Entry(ORDERS[value], source, ANY),
    }


def _pooling(value: str, source: str) -> dict[str, Entry[Any]]:
    return {
        "pooling": Entry(value, source, ANY),
        "fills_every_address": Entry(value != "paired", source, ANY),
    }


PROMISES: Mapping[str, Promise] = {
    "mapping_type": Promise(("eim", "adm", "edm"), lambda value, source: {"mapping": Entry(value, source, ANY)}),
    "filtering_type": Promise(
        ("eif", "adf", "edf"), lambda value, source: {"filtering": Entry(value, source, ANY)}
    ),
    "port_overlapping": Promise(
        ("off", "address", "endpoint"), lambda value, source: {"overlapping": Entry(value, source, ANY)}
    ),
    "port_allocation_type": Promise(("random", "preserving", "sequential", "blocks"), _order),
    "address_allocation_type": Promise((*POOLINGS,), _pooling),
    "on_exhaustion": Promise((*TOLD,), _refusal),
}


def listed(value: Any) -> Any:
    """Return one text, or None, as a list."""
    return [value] if isinstance(value, str) else [] if value is None else value


class Options(base.Options):
    """What can be chosen about every stranger's NAT."""

    promised: Annotated[tuple[str, ...], BeforeValidator(listed), WithJsonSchema({"type": "string"})] = Field(
        (), description=f"what its author promises of the NAT: each of {', '.join(PROMISES)} that is set"
    )


class Stranger(base.Gateway):
    """A gateway that is somebody else's NAT, of which little is known: `made` adds what its author promises."""

    Options: ClassVar[type[base.Options]] = Options
    promises: ClassVar[Collection[str]] = PROMISES.keys()
    settings_of: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        # Its ports may be back a second late, so that a rate is known only if they are occupied for longer.
        "churn": {"tcp_trans_close_timeout": 3.0, "tcp_rst_timeout": 3.0}
    }

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError for a promise that cannot be made, and for all that the NAT is not told."""
        if unknown := [key for key in options.promised if key not in PROMISES]:
            raise ConfigurationError(
                f"setting promised={unknown[0]}: that is nothing which can be promised; choose from: "
                f"{', '.join(PROMISES)}"
            )
        usual = type(settings).model_validate(dict(cls.settings))
        wanted: dict[str, Any] = {}
        for key, promise in PROMISES.items():
            value = getattr(settings, key)
            if key in options.promised and value not in promise.allowed:
                raise ConfigurationError(
                    f"setting {key}={value} cannot be promised of somebody else's NAT; choose from: "
                    f"{', '.join(promise.allowed)}"
                )
            if key not in options.promised and value in promise.allowed and value != getattr(usual, key):
                wanted[key] = value
        if wanted:
            first, *_ = wanted
            promises = " ".join(f"--set {key}={value}" for key, value in wanted.items())
            raise ConfigurationError(
                f"setting {first}={wanted[first]} is not possible with this gateway: nobody can tell somebody "
                f"else's NAT to do so; take {promises} if it does so by itself, which is then checked, or a NAT "
                "of lastport's own"
            )
        super().check(settings.model_copy(update={key: getattr(usual, key) for key in options.promised}), options)


def made(known: Behaviour, settings: Settings, options: Any) -> Behaviour:
    """Return what is declared of a stranger's NAT: what is known of all, and what its author promises."""
    facts: dict[str, Entry[Any]] = {}
    for key in options.promised:
        value = getattr(settings, key)
        facts |= PROMISES[key].declared(value, f"{PROMISE}, {key}={value}")
    return replace(known, **facts)
