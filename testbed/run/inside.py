"""The run itself, inside its sandbox: Open vSwitch, the lab, then the scenario."""

from __future__ import annotations

import gc
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from testbed.sandbox.memory import peak_memory
from testbed.sandbox.records import Channel
from testbed.sandbox.supervision import Supervisor

BUILD_S = 90.0
BUILD_S_PER_CLIENT = 0.5


def run(job: dict[str, Any], channel: Channel, supervisor: Supervisor) -> None:
    """Carry out the launcher's job. Whatever happens, a record about it goes to the launcher."""
    from testbed.experiment.report import Report

    gc.disable()  # this process ends with the run, and until then hundreds of thousands of objects are evidence
    report = Report(channel)
    files: dict[str, int] = job.pop("captures")
    try:
        with report.phase("build"):
            from testbed.sandbox import openvswitch

            openvswitch.start(supervisor)
            from testbed.experiment.building import build
            from testbed.experiment.captures import Captures
            from testbed.experiment.experiment import Experiment
            from testbed.experiment.lab import Lab
            from testbed.experiment.machine import watched
            from testbed.experiment.plan import Run
            from testbed.registry import load

            plan = Run.model_validate(job)
            scenario = load("scenario", plan.scenario)
            report.environment(**_environment(plan.datapath))
            if plan.datapath == "userspace":
                openvswitch.limit_cache(scenario.cached_flows)
                report.environment(ovs_cached_flows=str(scenario.cached_flows))
            clients = plan.parameters["clients"]
            with _within(BUILD_S + BUILD_S_PER_CLIENT * clients, "the lab was not built"):
                topology, kind = load("topology", plan.topology), load("gateway", plan.gateway)
                network = build(supervisor, plan, topology=topology, kind=kind)
                lab = Lab(supervisor, network, seed=plan.seed, wire_is_read=scenario.wire_is_read)
            report.environment(**lab.gateway.environment())
        parameters = scenario.Parameters.model_validate(plan.parameters)
        experiment = Experiment(lab, parameters, plan.settings, report, story=scenario.story)
        captures = Captures(files, lab, supervisor, report)
        with watched(lab, report, experiment.failures):
            with captures:
                scenario().run(experiment)
            experiment.conclude()
        report.series(peak_memory_kib=peak_memory())
        channel.send("done")
    except BaseException as error:  # a scenario may fail in any way, and may even leave
        here = error.__traceback__
        words = traceback.format_exception(error.with_traceback(here.tb_next or here if here else None))
        channel.send("broken", reason=f"{type(error).__name__}: {error}", last_words="".join(words))
    supervisor.over()


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
