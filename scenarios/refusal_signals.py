"""What does a program learn from its kernel when a NAT has no port left for it, and when?

Set-up        clients that hold every port for TCP, for UDP and for pings
Action        alice connects once more, sends one more datagram, and pings once more: as most programs do, and with
              the error queue switched on (IP_RECVERR). All six wait until their kernel returns something
Expectation   errno, ICMP type, code and sender, and the time, are those of what the gateway declares. Where it is
              silent, TCP's kernel gives up by itself, exactly when its sysctls say; the others learn nothing
"""

from __future__ import annotations

import math

from pydantic import Field

from scenarios.shared.clients import Client
from scenarios.shared.filling import Filling
from scenarios.shared.models.kernel_errors import GIVEN_UP, NOTHING, returned
from scenarios.shared.models.syn_retries import GivingUp
from scenarios.shared.policies import declares_its_signal, ports_to_evict
from scenarios.shared.programs import NAMES, row, title, wait_for
from scenarios.shared.requirements import finds_every_port, one_address, translates_packets
from scenarios.shared.sysctls import linear_timeouts, set_syn_retries
from testbed.api import Demand, Endpoint, Experiment, PatientParameters, Scenario, Settings, between

IN_TIME_S = 0.9
"""What a busy machine is granted; where nothing has to be waited for, it takes milliseconds."""
FILL_S = 10.0
"""Time for which the ports must be held besides the waiting."""
MOST_TO_FILL = 1024
"""More would only take longer to fill: what a program learns does not depend on it."""


class SignalParameters(PatientParameters):
    """How long the programs and their kernel wait."""

    tcp_syn_retries: int = Field(
        1, strict=True, ge=1, le=6, description="alice's sysctl of that name: 6 is Linux's own, and takes minutes"
    )
    patience: float = Field(
        2.0, strict=True, ge=1.5, le=60, description="seconds that programs wait for an answer to UDP and ping"
    )


class RefusalSignals(Scenario[SignalParameters]):
    """What does a program learn from its kernel when a NAT has no port left for it, and after how many seconds?"""

    name = "refusal-signals"
    claim = "the packet is silently dropped / an ICMP error comes back / the client never learns why"
    settings = {"ports": 2, "hold_down_timeout": 0}
    nats_beside = True
    requires = (
        one_address("every port has to be taken first"),
        declares_its_signal("that is the question"),
        translates_packets("it answers as its own kernel's errors have it"),
        finds_every_port("every port has to be taken first", most=MOST_TO_FILL),
        ports_to_evict("of two programs that ask at once one would evict the other"),
    )
    story = """
Every port was taken, and three programs of alice asked for one more, each once without and once with IP_RECVERR. \
What their kernel returned:
{% for program in programs %}
  {{ "%-28s"|format(title(program) ~ ":") }} {% if program.told %}{{ program.told }} after \
{{ "%.3f"|format(program.told.seconds) }} s{% else %}nothing in {{ "%.1f"|format(waited) }} s{% endif %}

{% endfor %}
{% set outcome = exhaustion.outcome["tcp"] if exhaustion.outcome else "" %}
{% if outcome == "timeout" %}
The NAT stayed silent. A datagram or a ping is just gone, and its program never learns of it. TCP sent its SYN \
{{ given_up.sent_again }} times again, and gave up by itself after {{ given_up.seconds }} s \
(tcp_syn_retries={{ parameters.tcp_syn_retries }}, tcp_syn_linear_timeouts={{ linear }}). With Linux's default of \
6 retries it would be {{ computed(6, linear).seconds }} s here, and 2^7-1 = {{ computed(6, 0).seconds }} s on \
kernels that double the wait from 1 s on (before 6.5). Nothing distinguishes it from a server that is switched off.
{% elif exhaustion.evicts == "lru" %}
The NAT evicted the connections that were used least recently, and gave their ports to new ones once they \
had rested. The new ones learned nothing of it.
{% elif outcome == "reset" %}
The NAT answered in the server's name. TCP cannot distinguish that from a closed port. UDP and ping have no \
reset, and got ICMP type 3, code {{ settings.icmp_code }} instead.
{% else %}
The NAT sent an ICMP error. The error number alone does not distinguish code 13 from code 1. The error queue \
does, and names the NAT as the sender.{% if settings.icmp_code == 1 %} Code 1 is a soft error: without \
IP_RECVERR, UDP and ping learn nothing of it.{% endif %}

{% endif %}
{% if exhaustion.holds %}
Before that it held the packets for {{ settings.hold_timeout * settings.time_scale }} s, in case a port came free.
{% endif %}
"""

    def run(self, x: Experiment[SignalParameters]) -> None:
        """Take the ports; ask for more; wait."""
        exhaustion, retries = x.behaviour.ports_exhausted.value, x.parameters.tcp_syn_retries
        protocols = [each for each in NAMES if exhaustion.outcome is None or each in exhaustion.outcome]
        alice = x.lab.clients[0].netns
        set_syn_retries(alice, retries)
        linear = linear_timeouts(alice)
        given_up = GivingUp.computed(retries, linear)
        targets = {each: _take_every_port(x, each) for each in protocols}
        with x.phase("ask for more"):
            asking = [(protocol, queue) for queue in (False, True) for protocol in protocols]
            programs = [Client(alice, each, targets[each], queue=queue) for each, queue in asking]
            tcp_patience = given_up.latest + IN_TIME_S
            waited = wait_for(x, programs, patience=x.parameters.patience, tcp_patience=tcp_patience)

        for program in programs:
            _check(x, program, given_up, linear)
        attempts = [program.attempt(number) for number, program in enumerate(programs, start=1)]
        x.account(attempts, {attempt.number for attempt in attempts if attempt.outcome == "established"})
        x.series(signals=[row(program) for program in programs])
        facts = {"title": title, "exhaustion": exhaustion, "given_up": given_up, "computed": GivingUp.computed}
        x.tell(programs=programs, waited=waited, linear=linear, **facts)

    @classmethod
    def demand(cls, parameters: SignalParameters, settings: Settings) -> Demand:
        """Return every port for the clients, or for those of one home out of two, and alice's programs."""
        longest = GivingUp.computed(parameters.tcp_syn_retries, linear_timeouts()).latest
        share = math.ceil(settings.capacity / max(1, parameters.clients // 2))
        shares = (share + 2, *[share] * (parameters.clients - 1))
        return Demand(shares, tuple(NAMES), lasts=longest + parameters.patience + FILL_S)


def _take_every_port(x: Experiment[SignalParameters], protocol: str) -> Endpoint:
    """Let all clients of alice's NAT hold every port of a protocol; return the service that they hold them for."""
    neighbours = x.lab.behind(x.lab.topology.behind[x.lab.clients[0].name])
    room = x.promise_for(protocol, clients=len(neighbours)).capacity
    filling = Filling(x, protocol=protocol, attempts=room)
    filled = filling.fill(f"take every port for {protocol}", room, patience=5.0, in_order=1, clients=neighbours)
    taken = len(filled.established)
    x.check(f"ports taken for {protocol.upper()}", expected=room, observed=taken, source="set-up")
    return filled.attempts[0].target


def _check(x: Experiment[SignalParameters], program: Client, given_up: GivingUp, linear: int) -> None:
    """Check what the kernel returned, and when: once the NAT caused it, or once the kernel gave up by itself."""
    declared, told, name = x.behaviour.ports_exhausted, program.told, title(program)
    expected, seconds = _expected(x, program), round(told.seconds, 3) if told else None
    x.check(
        f"{name}: what the kernel returns", expected=expected, observed=str(told or NOTHING), source=str(declared)
    )
    if expected == GIVEN_UP:
        sysctls = f"tcp_syn_retries={x.parameters.tcp_syn_retries}, tcp_syn_linear_timeouts={linear}"
        how = f"ip-sysctl: {sysctls}; tcp_timer.c: tcp_write_timeout"
        x.check(
            f"{name}: seconds until the kernel gives up",
            expected=between(given_up.seconds, given_up.latest + IN_TIME_S),
            observed=seconds,
            source=how,
            bears=IN_TIME_S / 2,
        )
        again = program.retransmissions
        x.check(f"{name}: SYNs that are sent again", expected=given_up.sent_again, observed=again, source=how)
    elif told is not None and expected != NOTHING:
        x.check(
            f"{name}: seconds until the kernel returns it",
            expected=between(declared.value.after, declared.value.after + IN_TIME_S),
            observed=seconds,
            source=f"{declared}; this scenario's IN_TIME_S",
            bears=IN_TIME_S / 2,
        )


def _expected(x: Experiment[SignalParameters], program: Client) -> str:
    exhaustion = x.behaviour.ports_exhausted.value
    if exhaustion.evicts == "lru":
        return "answered"
    sender = str(x.lab.topology.inside_address(x.lab.clients[0].name))
    outcome, code = (exhaustion.outcome or {})[program.protocol], x.settings.icmp_code
    return returned(outcome, program.protocol, icmp_code=code, sender=sender, queue=program.queue)
