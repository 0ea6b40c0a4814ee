"""The run itself, inside its sandbox: Open vSwitch, the lab, then the scenario."""

from __future__ import annotations

import gc
import inspect
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from controller.settings.extensions import is_file
from testbed.run import conversation, faults
from testbed.run.folder import SIDES
from testbed.sandbox.memory import peak_memory
from testbed.sandbox.records import Channel
from testbed.sandbox.slowness import patient
from testbed.sandbox.supervision import Supervisor

ORDERS = "orders"
"""The name of the socket by which a user's programs are ordered, among the files that are passed in open."""
BUILD_S = 90.0
BUILD_S_PER_CLIENT = 0.5


def run(job: dict[str, Any], channel: Channel, supervisor: Supervisor) -> None:
    """Carry out the launcher's job. Whatever happens, a record about it goes to the launcher."""
    from testbed.experiment.report import Report

    gc.disable()  # this process ends with the run, and until then hundreds of thousands of objects are evidence
    report = Report(channel)
    theirs: set[str] = set()
    files: dict[str, int] = job.pop("files")
    captured = {side: files.pop(side) for side in SIDES if side in files}
    talks = {name: files.pop(name) for name in conversation.FILES if name in files}
    orders = files.pop(ORDERS, None)
    is_watched: bool = job.pop("is_watched")
    recorded_since: float | None = job.pop("recorded_since")
    try:
        with report.phase("build"):
            from testbed.sandbox import openvswitch

            openvswitch.start(supervisor)
            from controller.settings.declared import ask_by, known
            from testbed.evidence.sockets import close_all
            from testbed.experiment.building import build
            from testbed.experiment.captures import Captures
            from testbed.experiment.experiment import Experiment
            from testbed.experiment.gauging import gauged
            from testbed.experiment.kernels import in_force
            from testbed.experiment.lab import Lab
            from testbed.experiment.machine import watched
            from testbed.experiment.plan import Run
            from testbed.experiment.recording import Recorders
            from testbed.registry import PROMPT, found, load

            plan = Run.model_validate(job)
            ask_by(known(plan.declared))  # this process judges, and must not execute what it judges
            scenario = load("scenario", plan.scenario)
            prompt = found(PROMPT)(talks, plan, channel) if talks else None
            events = channel if prompt is None else prompt.events
            chosen = [name for name in (plan.topology, plan.gateway, *plan.kinds.values()) if is_file(name)]
            theirs = {inspect.getfile(scenario), *(name.partition(":")[0] for name in chosen)}
            report.environment(**_environment(plan.datapath))
            if plan.datapath == "userspace":
                openvswitch.limit_cache(scenario.cached_flows)
                report.environment(ovs_cached_flows=str(scenario.cached_flows))
            clients = plan.parameters["clients"]
            with _within(patient(BUILD_S + BUILD_S_PER_CLIENT * clients), "the lab was not built"):
                kinds = {name: load("gateway", plan.kind_of(name)) for name in plan.gateways}
                topology = load("topology", plan.topology)
                network = build(supervisor, plan, topology=topology, kinds=kinds, files=files)
                lab = Lab(
                    supervisor,
                    network,
                    seed=plan.seed,
                    wire_is_read=scenario.wire_is_read,
                    recorders=None if recorded_since is None else Recorders(events, recorded_since),
                )
            report.environment(**lab.gateway.environment())
            report.machine(sysctls=in_force(network.nodes.values()))
        parameters = scenario.Parameters.model_validate(plan.parameters)
        experiment = Experiment(lab, parameters, plan.settings, report, story=scenario.story, prompt=prompt)
        captures = Captures(captured, lab, supervisor, report)
        asked = scenario() if orders is None else scenario(orders)
        with watched(lab, report, experiment.failures):
            with captures, gauged(lab.gateways if is_watched else {}, channel), _but_no_fork():
                asked.run(experiment)
                experiment.pause()
            own = asked.judged(experiment)
            experiment.conclude(own)
            if prompt is not None and own is None:
                prompt.require_untouched()
        report.series(peak_memory_kib=peak_memory())
        close_all()
        channel.send("done")
    except BaseException as error:  # a scenario may fail in any way, and may even leave
        supervisor.fail(faults.sentence(error, theirs), faults.lines(error))
    supervisor.over()


@contextmanager
def _but_no_fork() -> Iterator[None]:
    """End a process that the block has forked, however it leaves the block: it must not report as well."""
    runner = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != runner:
            os._exit(0)


@contextmanager
def _within(seconds: float, what: str) -> Iterator[None]:
    """Raise TimeoutError after `seconds`, whatever the block waits for: some of Mininet's waits have no end."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"{what} within {seconds:.0f} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _environment(datapath: str) -> dict[str, str]:
    from testbed.run.machine import machine, programs
    from testbed.sandbox.openvswitch import TUNING

    return {
        **machine(),
        **programs(),
        "ovs_tuning": " ".join(f"{key}={value}" for key, value in TUNING.items()),
        "datapath": datapath,
    }
