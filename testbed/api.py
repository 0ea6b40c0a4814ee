"""The one module of the testbed that a scenario, topology or gateway imports: `from testbed.api import Scenario`.

A scenario derives from `Scenario`, a topology from `Topology`, a gateway from `Gateway`. The other names are what
these need: the expectations of checks, the records of attempts, requirements, and what a gateway declares.
"""

from __future__ import annotations

from controller.settings import FIRST_PORT, MOST_PORTS, ConfigurationError, Settings
from controller.wiring import Side
from testbed.evidence.judging import HELD_S, SYN_TIMER_S, TIMER_SLACK
from testbed.evidence.losses import lost_in_switch
from testbed.evidence.witnesses import SynCounter, Syns
from testbed.experiment.counters import DROPPED, Counters, dropped, settled
from testbed.experiment.demand import Demand, Return, in_turn
from testbed.experiment.expectations import at_least, at_most, between
from testbed.experiment.experiment import Experiment
from testbed.experiment.lab import PORT, Lab
from testbed.experiment.parameters import Parameters, PatientParameters, SubscriberParameters, derived
from testbed.experiment.promise import PROMISED, Promise, room, unserved
from testbed.experiment.requirements import Asked, Of, Refusal, Requirement, of_ports
from testbed.experiment.scenario import Scenario
from testbed.sandbox.linux import network_of
from testbed.sandbox.slowness import patient
from testbed.traffic.records import Attempt, Opening, Served, Sighting
from testbed.traffic.wire import Endpoint
from topologies.base import Topology, client_name
from topologies.gateways.base import Gateway, GatewayError, GatewayPlan, Options, Restriction
from topologies.gateways.behaviour import Behaviour, Entry, Exhaustion
from topologies.gateways.linux import LinuxRouter
from topologies.gateways.recorder import ExternalMapping

__all__ = [
    "DROPPED",
    "FIRST_PORT",
    "HELD_S",
    "MOST_PORTS",
    "PORT",
    "PROMISED",
    "SYN_TIMER_S",
    "TIMER_SLACK",
    "Asked",
    "Attempt",
    "Behaviour",
    "ConfigurationError",
    "Counters",
    "Demand",
    "Endpoint",
    "Entry",
    "Exhaustion",
    "Experiment",
    "ExternalMapping",
    "Gateway",
    "GatewayError",
    "GatewayPlan",
    "Lab",
    "LinuxRouter",
    "Of",
    "Opening",
    "Options",
    "Parameters",
    "PatientParameters",
    "Promise",
    "Refusal",
    "Requirement",
    "Restriction",
    "Return",
    "Scenario",
    "Served",
    "Settings",
    "Side",
    "Sighting",
    "SubscriberParameters",
    "SynCounter",
    "Syns",
    "Topology",
    "at_least",
    "at_most",
    "between",
    "client_name",
    "derived",
    "dropped",
    "in_turn",
    "lost_in_switch",
    "network_of",
    "of_ports",
    "patient",
    "room",
    "settled",
    "unserved",
]
