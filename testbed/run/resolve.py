"""From what the user typed to a run in which everything is decided and checked, before anything starts.

In this order, a later one overrides an earlier one: the profile, the scenario's defaults, the `--config` file,
`--set`. What the user gives is read by `given`, and whether it fits together is decided by `fitting`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from pydantic import BaseModel, ValidationError

from controller.settings import PROFILES, ConfigurationError, Settings, checked, unknown_key
from controller.settings.declared import ask_by
from controller.settings.extensions import absolute, is_file
from testbed.experiment.demand import Demand, Return
from testbed.experiment.limits import idle_timers
from testbed.experiment.link_conditions import require_possible
from testbed.experiment.nats import require_bearable
from testbed.experiment.parameters import Parameters
from testbed.experiment.plan import Run, network_of_size
from testbed.experiment.requirements import Asked, Of, require
from testbed.experiment.scenario import Scenario
from testbed.registry import COMMANDS, load
from testbed.run.blame import decided_fairly
from testbed.run.choices import Choices
from testbed.run.fitting import (
    require_answers,
    require_gateways,
    require_may_differ,
    require_one_device,
    require_one_outside,
    require_own_addresses,
    require_unfixed,
)
from testbed.run.given import deciding, files_of, names_in, values_given
from testbed.run.own_classes import require_contract, require_known, require_own_keys, returned_by
from testbed.run.sides import Sides, apart
from testbed.run.strangers import are_met, ask_apart, declared
from topologies.base import Topology
from topologies.gateways.base import Gateway, Use
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.promises import listed
from topologies.picture import picture


class CannotError(ConfigurationError):
    """The choices are correct, but this gateway cannot follow them. Another may."""


def resolve(scenario: str, gateway: str, choices: Choices, *, datapath: str, others: Collection[str] = ()) -> Run:
    """Decide everything about a run. Raises ConfigurationError, or CannotError if only this gateway is the reason.

    `others` are keys that may be given though they mean nothing in this run, since they do in another.
    """
    if scenario in COMMANDS and not choices.by_command:
        raise ConfigurationError(
            f"{scenario} is no scenario, but a command of its own; see lastport {scenario} -h"
        )
    given, files = values_given(choices), files_of(choices, scenario, gateway)
    ask_by(ask_apart)
    if not are_met(deciding(choices, scenario, gateway)):
        return _resolved(scenario, gateway, choices, given, datapath, others)

    def work() -> Any:
        return _resolved(scenario, gateway, choices, given, datapath, others).model_dump(mode="json")

    told = declared(files, work, CannotError, about=", ".join(map(str, files)))
    return as_run(told, choices, scenario, gateway)


def as_run(told: Any, choices: Choices, *names: str) -> Run:
    """Return the run that a stranger's file has led to. Raises ConfigurationError if it is not what was asked for.

    So a run with the file is always one that is walled in.
    """
    try:
        run = Run.model_validate(told)
    except ValidationError as error:
        raise ConfigurationError(f"what was decided with a file of one's own is no run: {error}") from None
    if not all({absolute(name), _as_written(name)} & set(run.names) for name in names_in(choices, *names)):
        raise ConfigurationError("what was decided with a file of one's own is another run than was asked for")
    return run


def _as_written(name: str) -> str:
    """Return a name with the whole path of a file as it was given: behind walls a link to a folder is a folder."""
    file, colon, wanted = name.partition(":")
    return f"{os.path.abspath(file)}{colon}{wanted}" if is_file(name) else name


def require_profile(name: str) -> None:
    """Raise ConfigurationError if there is no such profile."""
    if name not in PROFILES:
        raise ConfigurationError(unknown_key(name, list(PROFILES), kind="profile"))


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
    kinds = {name: kind for name, kind in run.kinds.items() if kind != run.gateway}
    return run.model_copy(update={"chosen": {**kinds, **_chosen(run, given, by_default)}})


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
    require_profile(choices.profile)
    require_contract(scenario, cls)
    require_own_keys(scenario, "parameter", cls.Parameters)
    require_own_keys(gateway, "option", kind.Options)
    every = [load("gateway", each).Options for each in {usual, *sides.kinds.values()}]
    shared, theirs, options, *_ = _sorted(given, others, Settings, cls.Parameters, kind.Options, *every)
    options = {**options, **own_options}
    mine = {**returned_by(gateway, "implied", dict, kind.implied, options), **shared, **own}
    if promised := [key for key in kind.promises if key in mine]:
        options = {**options, "promised": [*listed(options.get("promised")), *promised]}
    theirs = {key: value for key, value in theirs.items() if value is not None or not _is_derived(cls, key)}
    topology = _network(choices, cls, kind)
    defaults_of = partial(_defaults, scenario, cls, topology, choices.profile)
    defaults = defaults_of(kind)
    settings = checked(Settings, {**defaults, **mine}, kind="setting")
    parameters = checked(cls.Parameters, theirs, kind="parameter")
    chosen = checked(kind.Options, options, kind="setting")
    completed = returned_by(scenario, "complete", dict, cls.complete, parameters, settings)
    require_known(scenario, "complete", completed, [*cls.Parameters.model_fields, *Settings.model_fields])
    parameters = checked(cls.Parameters, {**_of(cls.Parameters, completed), **theirs}, kind="parameter")
    require_possible(parameters.model_dump(mode="json"))
    need = partial(returned_by, scenario, "requires", object, require, cls.requires)
    need(Of.SETTINGS, Asked(cls.name, parameters, settings))
    lasting = idle_timers(returned_by(scenario, "demand", Demand, cls.demand, parameters, settings), settings)
    later = {**lasting, **_of(Settings, completed)}
    settings = checked(Settings, {**defaults, **later, **mine}, kind="setting")
    settings.for_nat()  # may refuse a student's allocator or policy
    try:
        returned_by(gateway, "check", object, kind.check, settings, chosen)
        behaviour = returned_by(gateway, "declare", Behaviour, kind.declare, settings, chosen)
        need(Of.GATEWAY, Asked(cls.name, parameters, settings, behaviour))
        returned_by(scenario, "check", object, cls.check, parameters, settings, behaviour)
        require_answers(gateway, kind, parameters, settings, behaviour)
    except ConfigurationError as error:
        raise CannotError(str(error)) from None
    built = _built(topology, parameters)
    built.check(settings)
    require_gateways(cls, topology, built)
    differing = returned_by(scenario, "of_each_gateway", dict, cls.of_each_gateway, parameters)
    require_known(scenario, "of_each_gateway", differing, [*built.wiring])
    each = _of_each_gateway(built, settings, differing)
    kinds, all_options = dict.fromkeys(each, gateway), dict.fromkeys(each, chosen)
    if sides:
        require_may_differ(cls, topology, built)
        for name in [*each][1:]:
            kinds[name] = sides.kinds.get(name, usual)
            its, fixed = load("gateway", kinds[name]), differing.get(name, {})
            own, own_options = sides.of(name, its)
            require_unfixed(scenario, name, own, fixed)
            require_own_addresses(topology, name, own, built)
            addresses = {"external_addresses": each[name].external_addresses}
            values = {**defaults_of(its), **later, **shared, **fixed, **addresses, **own}
            each[name], all_options[name] = _of_one(name, its, values, {**_of(its.Options, given), **own_options})
    nats = {}
    told: dict[str, Any] = {}
    for name, its_settings in each.items():
        its, asked = load("gateway", kinds[name]), (its_settings, all_options[name])
        if sides:
            returned_by(kinds[name], "check", object, its.check, *asked)
        returned_by(kinds[name], "check_wiring", object, its.check_wiring, *asked, built.wiring[name])
        nats[name] = its_settings, returned_by(kinds[name], "declare", Behaviour, its.declare, *asked)
        told[name] = its.told_outside(*asked, built.wiring[name], built.gateway_mac(name))
        if sides and name in cls.gateways:
            need(Of.GATEWAY, Asked(cls.name, parameters, *nats[name]))
    reached = returned_by(gateway, "reaches", str, kind.reaches, chosen)
    require_one_outside(topology, reached, told)
    first = built.wiring[next(iter(each))]
    cables = returned_by(gateway, "cables", dict, kind.cables, settings, chosen, first)
    require_one_device(gateway, topology, cables, told)
    returned_by(scenario, "demand", object, require_bearable, cls, parameters, topology, built, nats)
    use = _use(cls, parameters, settings, mine)
    returned_by(gateway, "check_use", object, kind.check_use, settings, chosen, use)
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
        programs=tuple(returned_by(gateway, "files", list, kind.files, options)),
        reaches=reached,
        told_outside=next(iter(told.values())),
        cables=cables,
        declared={key: facts for each in (settings, *each.values()) for key, facts in each.declared().items()},
    )


def _defaults(
    scenario: str, cls: type[Scenario[Any]], topology: str, profile: str, kind: type[Gateway]
) -> dict[str, Any]:
    """Return the settings of a gateway of this kind where the user chooses none."""
    defaults = {**load("topology", topology).settings, **kind.settings, **PROFILES[profile]}
    own = kind.settings_of.get(cls.name, {})
    return {**defaults, **returned_by(scenario, "defaults", dict, cls.defaults, kind.restrictions), **own}


def _of_one(
    name: str, kind: type[Gateway], values: dict[str, Any], options: dict[str, Any]
) -> tuple[Settings, BaseModel]:
    """Return the settings and the options of one of several gateways."""
    settings = checked(Settings, values, kind=f"setting of {name}:")
    settings.for_nat()
    return settings, checked(kind.Options, options, kind=f"setting of {name}:")


def _use(
    scenario: type[Scenario[Any]], parameters: Parameters, settings: Settings, stated: Collection[str]
) -> Use:
    """Return what a run is about to do to its gateway."""
    demand = scenario.demand(parameters, settings)
    fits = settings.capacity if demand.fits is None else demand.fits
    rate = None if demand.each_s is None else demand.each_s * len(demand.shares)
    returns = demand.returns is not Return.NEVER
    return Use(scenario.name, stated, demand.protocols, demand.attempts, fits, returns, rate)


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
