"""From what the user typed to a run in which everything is decided and checked, before anything starts.

`--set` has one flat name space, with the gateway's settings and the scenario's parameters. In this order, a later
one overrides an earlier one: the profile, the scenario's defaults, the `--config` file, `--set`. `--allocator` is
short for one `--set`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from controller.settings import PROFILES, ConfigurationError, Settings, checked, unknown_key
from controller.settings.extensions import absolute
from controller.wiring import ETHERNET_MTU
from testbed.experiment.demand import Demand
from testbed.experiment.limits import idle_timers
from testbed.experiment.nats import fronts, require_bearable
from testbed.experiment.parameters import Parameters, PatientParameters
from testbed.experiment.plan import Run, network_of_size
from testbed.experiment.requirements import Asked, Of, require
from testbed.experiment.scenario import Scenario
from testbed.registry import load, ours
from testbed.run.blame import decided_fairly
from testbed.run.choices import Choices
from testbed.run.own_classes import require_contract, require_known, require_own_keys, returned_by
from testbed.run.sides import DOT, Sides, apart
from testbed.run.strangers import are_met, declared, files_among
from testbed.run.written import UNREADABLE, value_of, values_in
from topologies.base import Topology
from topologies.gateways.app.options import shown
from topologies.gateways.base import Gateway
from topologies.gateways.behaviour import Behaviour
from topologies.picture import picture

ALLOCATOR_KEY = "port_allocation_type"
"""The setting for which `--allocator` is short."""
POLICY_KEY = "on_exhaustion"
"""The setting whose value may be a file as well."""
VERDICT_S = 0.5
"""Seconds from the end of a hold to the end of its attempt, on a busy machine."""


class CannotError(ConfigurationError):
    """The choices are correct, but this gateway cannot follow them. Another may."""


def resolve(scenario: str, gateway: str, choices: Choices, *, datapath: str, others: Collection[str] = ()) -> Run:
    """Decide everything about a run. Raises ConfigurationError, or CannotError if only this gateway is the reason.

    `others` are keys that may be given though they mean nothing in this run, since they do in another.
    """
    given, files = values_given(choices), files_of(choices, scenario, gateway)
    if not are_met(files):
        return _resolved(scenario, gateway, choices, given, datapath, others)

    def work() -> Any:
        return _resolved(scenario, gateway, choices, given, datapath, others).model_dump(mode="json")

    told = declared(files, work, CannotError, about=", ".join(map(str, files)))
    return as_run(told, choices, scenario, gateway)


def files_of(choices: Choices, *names: str) -> list[Path]:
    """Return the files of a user's own among scenarios' and gateways' names, and in what else was chosen."""
    return [*files_among(_named(choices, *names)), *map(Path, shown(values_given(choices)))]


def as_run(told: Any, choices: Choices, *names: str) -> Run:
    """Return the run that a stranger's file has led to. Raises ConfigurationError if it is not what was asked for.

    So a run with the file is always one that is walled in.
    """
    try:
        run = Run.model_validate(told)
    except ValidationError as error:
        raise ConfigurationError(f"what was decided with a file of one's own is no run: {error}") from None
    if not set(map(absolute, _named(choices, *names))) <= set(run.names):
        raise ConfigurationError("what was decided with a file of one's own is another run than was asked for")
    return run


def _named(choices: Choices, *names: str) -> list[str]:
    """Return what was chosen by a name or a file, besides scenario and gateway: topology, allocator, policy."""
    given = values_given(choices)
    own = [value for key, value in given.items() if key.rpartition(DOT)[2] in (ALLOCATOR_KEY, POLICY_KEY)]
    chosen = [choices.topology, *choices.kinds.values(), *own]
    return [*names, *(name for name in chosen if isinstance(name, str))]


def values_given(choices: Choices) -> dict[str, Any]:
    """Return the values of keys that the user gives: in a file, by `--set` and `--allocator`."""
    sets = _with_allocator(assignments(choices.sets), choices.allocator)
    return {**(values_in(choices.config) if choices.config else {}), **sets}


def _resolved(
    scenario: str,
    gateway: str,
    choices: Choices,
    given: dict[str, Any],
    datapath: str,
    others: Collection[str],
) -> Run:
    """Decide everything about a run, in a process that may import what is chosen."""
    run = _decided(scenario, gateway, choices, given, datapath, others)
    by_default: dict[str, Any] = {}
    if given:
        with suppress(ConfigurationError):  # some scenarios are impossible without a choice
            by_default = _decided(scenario, gateway, choices, {}, datapath, others).described(by_gateway=True)
    return run.model_copy(update={"chosen": {**choices.kinds, **_chosen(run, given, by_default)}})


def _chosen(run: Run, given: Collection[str], by_default: dict[str, Any]) -> dict[str, Any]:
    """Return what the user chose otherwise than by default."""
    usual = Choices(topology=_network(Choices(), load("scenario", run.scenario), load("gateway", run.gateway)))
    values = run.described(by_gateway=True)
    own = {"topology": run.topology, "profile": run.profile, "seed": run.seed}
    chosen = {key: value for key, value in own.items() if value != getattr(usual, key)}
    set_otherwise = [key for key in given if key in values and by_default.get(key, ...) != values[key]]
    return {**chosen, **{key: values[key] for key in set_otherwise}}


def _decided(
    scenario: str,
    gateway: str,
    choices: Choices,
    given: dict[str, Any],
    datapath: str,
    others: Collection[str],
) -> Run:
    """Decide everything about a run, or refuse it in words that blame what the user chose."""
    return decided_fairly(_of_choices, scenario, gateway, choices, given, datapath, others)


def _of_choices(
    scenario: str,
    gateway: str,
    choices: Choices,
    given: dict[str, Any],
    datapath: str,
    others: Collection[str],
) -> Run:
    """Decide everything about a run in which the settings and parameters in `given` are the user's."""
    cls = load("scenario", scenario)
    given, single = apart(given)
    sides, usual = Sides(choices.kinds, single), gateway
    if sides:
        sides.require_ours(usual)
        parameters = checked(cls.Parameters, _of(cls.Parameters, given), kind="parameter")
        names = [*_built(choices.topology or cls.topology, parameters).wiring]
        sides.require_there(choices.topology or cls.topology, names)
        gateway = sides.kinds.get(names[0], usual)
    kind = load("gateway", gateway)
    own, own_options = sides.of(names[0], kind) if sides else ({}, {})
    if choices.profile not in PROFILES:
        raise ConfigurationError(unknown_key(choices.profile, list(PROFILES), kind="profile"))
    require_contract(scenario, cls)
    require_own_keys(scenario, "parameter", cls.Parameters)
    require_own_keys(gateway, "option", kind.Options)
    every = [load("gateway", each).Options for each in {usual, *sides.kinds.values()}]
    shared, theirs, options, *_ = _sorted(given, others, Settings, cls.Parameters, kind.Options, *every)
    mine, options = {**shared, **own}, {**options, **own_options}
    theirs = {key: value for key, value in theirs.items() if value is not None or not _is_derived(cls, key)}
    topology = _network(choices, cls, kind)

    def defaults_of(kind: type[Gateway]) -> dict[str, Any]:
        defaults = {**load("topology", topology).settings, **kind.settings, **PROFILES[choices.profile]}
        return defaults | returned_by(scenario, "defaults", dict, cls.defaults, kind.restrictions)

    defaults = defaults_of(kind)
    settings = checked(Settings, {**defaults, **mine}, kind="setting")
    parameters = checked(cls.Parameters, theirs, kind="parameter")
    chosen = checked(kind.Options, options, kind="setting")
    completed = returned_by(scenario, "complete", dict, cls.complete, parameters, settings)
    require_known(scenario, "complete", completed, [*cls.Parameters.model_fields, *Settings.model_fields])
    parameters = checked(cls.Parameters, {**_of(cls.Parameters, completed), **theirs}, kind="parameter")
    need = partial(returned_by, scenario, "requires", object, require, cls.requires)
    need(Of.SETTINGS, Asked(cls.name, parameters, settings))
    lasting = idle_timers(returned_by(scenario, "demand", Demand, cls.demand, parameters, settings), settings)
    later = {**lasting, **_of(Settings, completed)}
    settings = checked(Settings, {**defaults, **later, **mine}, kind="setting")
    settings.for_nat()  # loads a student's allocator or policy, and may refuse it
    try:
        returned_by(gateway, "check", object, kind.check, settings, chosen)
        behaviour = returned_by(gateway, "declare", Behaviour, kind.declare, settings, chosen)
        need(Of.GATEWAY, Asked(cls.name, parameters, settings, behaviour))
        returned_by(scenario, "check", object, cls.check, parameters, settings, behaviour)
        _require_room(gateway, kind, parameters, settings)
        if isinstance(parameters, PatientParameters):
            _require_patience(parameters, settings, behaviour)
    except ConfigurationError as error:
        raise CannotError(str(error)) from None
    built = _built(topology, parameters)
    built.check(settings)
    _require_gateways(cls, topology, built)
    differing = returned_by(scenario, "of_each_gateway", dict, cls.of_each_gateway, parameters)
    require_known(scenario, "of_each_gateway", differing, [*built.wiring])
    each = _of_each_gateway(built, settings, differing)
    kinds, all_options = dict.fromkeys(each, gateway), dict.fromkeys(each, chosen)
    if sides:
        _require_may_differ(cls, topology, built)
        for name in [*each][1:]:
            kinds[name] = sides.kinds.get(name, usual)
            its = load("gateway", kinds[name])
            own, own_options = sides.of(name, its)
            _require_unfixed(scenario, name, own, differing.get(name, {}))
            values = {**defaults_of(its), **later, **shared, **differing.get(name, {}), **own}
            values |= {"external_addresses": own.get("external_addresses", each[name].external_addresses)}
            each[name] = checked(Settings, values, kind=f"setting of {name}:")
            all_options[name] = checked(
                its.Options, {**_of(its.Options, given), **own_options}, kind=f"setting of {name}:"
            )
            each[name].for_nat()
    nats = {}
    for name, its_settings in each.items():
        its, asked = load("gateway", kinds[name]), (its_settings, all_options[name])
        if sides:
            returned_by(kinds[name], "check", object, its.check, *asked)
        returned_by(kinds[name], "check_wiring", object, its.check_wiring, *asked, built.wiring[name])
        nats[name] = its_settings, returned_by(kinds[name], "declare", Behaviour, its.declare, *asked)
        if sides and name in cls.gateways:
            need(Of.GATEWAY, Asked(cls.name, parameters, *nats[name]))
    returned_by(scenario, "demand", object, require_bearable, cls, parameters, topology, built, nats)
    return Run(
        scenario=absolute(scenario),
        question=returned_by(scenario, "question", str, cls.question),
        claim=str(cls.claim),
        topology=absolute(topology),
        network=picture(built, settings.external_addresses),
        gateway=absolute(gateway),
        profile=choices.profile,
        parameters=parameters.model_dump(mode="json"),
        settings=settings,
        options=chosen.model_dump(mode="json"),
        gateways=each,
        seed=choices.seed,
        datapath=datapath,
        sockets=returned_by(scenario, "open_sockets", int, cls.open_sockets, parameters, settings),
        needs=tuple(dict.fromkeys(need for each in kinds.values() for need in load("gateway", each).needs)),
        kinds={name: absolute(each) for name, each in kinds.items()} if sides else {},
        own_options={name: each.model_dump(mode="json") for name, each in all_options.items()} if sides else {},
        programs=tuple(shown(options)),
        reaches=options.get("controller") or "",
    )


def _network(choices: Choices, scenario: type[Scenario[Any]], kind: type[Gateway]) -> str:
    """Return the topology: the user's, else the scenario's own, else the one that the gateway is made for."""
    usual = scenario.topology if scenario.topology != Scenario.topology else kind.topology or scenario.topology
    return choices.topology or usual


def _is_derived(scenario: type[Scenario[Any]], key: str) -> bool:
    """Whether a parameter is made from the settings if it has no value: `derived`."""
    field = scenario.Parameters.model_fields[key]
    return field.default is None and not field.is_required()


def _sorted(given: dict[str, Any], others: Collection[str], *models: type[BaseModel]) -> Iterator[dict[str, Any]]:
    """Yield for each model the values for its keys. Raises ConfigurationError for a key that none of them has."""
    known = [key for model in models for key in model.model_fields]
    for key in given:
        if key not in known and key not in others:
            raise ConfigurationError(unknown_key(key, sorted({*known, *others}), kind="setting"))
    for model in models:
        yield _of(model, given)


def _of(model: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """Return those of the values whose keys are the model's."""
    return {key: value for key, value in values.items() if key in model.model_fields}


def _require_room(gateway: str, kind: type[Gateway], parameters: Parameters, settings: Settings) -> None:
    """Raise ConfigurationError if a gateway would lose packets that its outside links have no room for."""
    if parameters.outside_mtu == ETHERNET_MTU:
        return
    if not kind.fits_packets:
        raise ConfigurationError(
            f"outside_mtu={parameters.outside_mtu} is not possible with this gateway: {gateway} neither sends "
            f"larger packets on in fragments nor tells their senders; take outside_mtu={ETHERNET_MTU}, or another "
            "--gateway"
        )
    if settings.untranslated_destinations:
        raise ConfigurationError(
            f"outside_mtu={parameters.outside_mtu} is not possible with untranslated_destinations: packets to "
            "them pass by rules, which neither fragment nor answer larger ones; take "
            f"outside_mtu={ETHERNET_MTU}, or no untranslated_destinations"
        )


def _require_patience(parameters: PatientParameters, settings: Settings, behaviour: Behaviour) -> None:
    """Raise ConfigurationError if attempts would be given up before the NAT decides about them."""
    exhaustions = (behaviour.ports_exhausted.value, behaviour.state_exhausted.value)
    held = max((each.after for each in exhaustions if each.holds), default=0.0)
    if held and parameters.patience < held + VERDICT_S:
        raise ConfigurationError(
            f"hold_timeout={settings.hold_timeout:g} is not possible with patience={parameters.patience:g}: "
            f"a packet is held for {held:g} s, and its attempt would be given up before its refusal; take "
            f"patience={held + VERDICT_S:g} or more, or a shorter hold_timeout"
        )
    rests = max((each.after for each in exhaustions if each.evicts == "lru"), default=0.0)
    if rests and parameters.patience < rests + VERDICT_S:
        raise ConfigurationError(
            f"parameter patience={parameters.patience:g} is not possible with a NAT that evicts: a newcomer waits "
            f"{rests:g} s until its port has rested; take patience={rests + VERDICT_S:g} or more"
        )


def _require_gateways(scenario: type[Scenario[Any]], topology: str, built: Topology) -> None:
    """Raise ConfigurationError if the network lacks a gateway that the question is about."""
    if lacking := [name for name in scenario.gateways if name not in built.wiring]:
        fitting = [name for name, each in ours("topology").items() if {*scenario.gateways} <= each().wiring.keys()]
        fitting = fitting or [scenario.topology]
        raise ConfigurationError(
            f"topology {topology!r} is not possible with {scenario.name}: it lacks the gateway"
            f"{'s' * (len(lacking) > 1)} {', '.join(lacking)}; take --topology {' or '.join(fitting)}"
        )


def _require_may_differ(scenario: type[Scenario[Any]], topology: str, built: Topology) -> None:
    """Raise ConfigurationError if a question reckons with NATs that are all alike."""
    first, *others = built.wiring
    if scenario.nats_may_differ or (not scenario.gateways and set(others) <= set(fronts(built, first))):
        return
    raise ConfigurationError(
        f"a choice for one gateway is not possible with {scenario.name} and topology {topology!r}: the question "
        f"reckons with NATs that are alike; choose for all of them, or take hole-punching"
    )


def _require_unfixed(scenario: str, name: str, own: dict[str, Any], fixed: dict[str, Any]) -> None:
    """Raise ConfigurationError for a setting that the scenario itself gives this gateway."""
    for key in own:
        if key in fixed:
            raise ConfigurationError(
                f"setting {name}.{key}={own[key]} is not possible with {scenario}, which sets it by itself to "
                f"{fixed[key]}; leave it out"
            )


def _of_each_gateway(
    built: Topology, settings: Settings, overrides: dict[str, dict[str, Any]]
) -> dict[str, Settings]:
    """Return the settings of each gateway: the common ones, with those that topology and scenario give it."""
    common = settings.model_dump()
    return {
        name: checked(
            Settings,
            {**common, "external_addresses": built.external.get(name, common["external_addresses"])}
            | overrides.get(name, {}),
            kind="setting",
        )
        for name in built.wiring
    }


def _built(topology: str, parameters: Parameters) -> Topology:
    """Return the network's topology, to see that it can be built. A user's own topology may fail in any way."""
    clients = parameters.clients
    try:
        built: Topology = load("topology", topology)(**network_of_size(parameters.model_dump()))
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"topology {topology!r} cannot be built with clients={clients}: {type(error).__name__}: {error}"
        ) from error
    if (placed := len(built.clients)) != clients:
        raise ConfigurationError(
            f"topology {topology!r} has {placed} clients, and clients={clients}; place `clients` of them in its "
            f"build(), or take --set clients={placed}"
        )
    return built


def _with_allocator(sets: dict[str, Any], allocator: str | None) -> dict[str, Any]:
    """Return the assignments of `--set`, with the one that `--allocator` stands for."""
    if allocator is None:
        return sets
    other = sets.setdefault(ALLOCATOR_KEY, allocator)
    if absolute(str(other)) != absolute(allocator):
        raise ConfigurationError(
            f"--allocator {allocator} and --set {ALLOCATOR_KEY}={other} contradict each other: "
            "both choose the allocator, so give one of them"
        )
    return sets


def assignments(sets: Sequence[str]) -> dict[str, Any]:
    """Return the values of the `--set` options by their keys. Raises ConfigurationError if one cannot be read."""
    return dict(_assignment(text) for text in sets)


def _assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigurationError(f"--set {text!r} is not KEY=VALUE")
    try:
        return key.strip(), value_of(value)
    except UNREADABLE as error:
        raise ConfigurationError(f"--set {text!r}: the value cannot be read: {error}") from None
