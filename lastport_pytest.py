"""Your own programs behind a NAT of your choice, for a project's tests: one file, the standard library alone.

    from lastport_pytest import nat

    def test_my_program_connects():
        with nat(mapping="edm", filtering="edf") as lab:
            done = lab.exec("alice", ["./my-program", "--server", "server"])
            assert done.status == 0

It talks to a `lastport` process: the one beside this file, or the command in the environment variable LASTPORT,
such as "sudo -n /opt/lastport/lastport". With pytest, `pytest_plugins = ["lastport_pytest"]` gives two fixtures.
`nat` is the function below, and skips the test on a machine that can have no lab. `shared_nat` is the same, but
all tests that make the same choice share one network, which is built once.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shlex
import signal
import subprocess
import threading
from pathlib import Path

TIMED_OUT = 124
FAILED = 125
ENDS_WITHIN_S = 60.0


class LabError(Exception):
    """There is no lab, or it broke: the message is lastport's own."""


class Done:
    """A program that has ended: its `status` as a shell has it, and what it wrote as `output` and `errors`."""

    def __init__(self, command, status, output, errors):
        self.command, self.status, self.output, self.errors = command, status, output, errors

    def __repr__(self):
        return f"Done({self.command}, status={self.status}, output={self.output!r}, errors={self.errors!r})"


class Program:
    """A program that runs on a host of the lab."""

    def __init__(self, lab, number, command):
        self._lab, self._number, self._command = lab, number, command
        self._wrote = {"output": b"", "errors": b""}
        self._changed = threading.Condition()
        self._status = None

    @property
    def output(self):
        """What it has written to standard output so far."""
        return self._wrote["output"].decode(errors="backslashreplace")

    @property
    def errors(self):
        """What it has written to standard error so far."""
        return self._wrote["errors"].decode(errors="backslashreplace")

    def wait_for(self, text, timeout=None):
        """Wait until it has written a text. Raises TimeoutError, and LabError if it ends without."""
        with self._changed:
            found = self._changed.wait_for(lambda: text in self.output or self._status is not None, timeout)
        if text not in self.output:
            error = LabError if found else TimeoutError
            raise error(f"{self._command} did not write {text!r}: {self.output!r}, {self.errors!r}")

    def wait(self, timeout=None):
        """Return what became of it when it has ended. After `timeout` seconds it is ended, with the status 124."""
        with self._changed:
            in_time = self._changed.wait_for(lambda: self._status is not None, timeout)
            if not in_time:
                self.signal(signal.SIGKILL)
                self._changed.wait_for(lambda: self._status is not None)
        self._lab.require()
        return Done(self._command, self._status if in_time else TIMED_OUT, self.output, self.errors)

    def signal(self, number):
        """Send it a signal."""
        self._lab.send(id=self._number, signal=int(number))

    def stop(self):
        """End it, and return what it was."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def take(self, message):
        """Take note of what lastport tells of it."""
        with self._changed:
            for name in self._wrote.keys() & message.keys():
                self._wrote[name] += base64.b64decode(message[name])
            if "status" in message:
                if message["complaint"]:
                    self._wrote["errors"] += message["complaint"].encode() + b"\n"
                self._status = message["status"]
            self._changed.notify_all()


class Lab:
    """A network with a NAT. `hosts` has the names of all hosts, and after its end `results` what it came to.

    `results` has the results' folder, the account of each NAT's mappings, and the checks of leaks and sharing.
    """

    def __init__(self, options):
        self.hosts, self.results = [], {}
        self._programs, self._numbers = {}, iter(range(1, 1 << 62))
        self._complaints, self._writing = [], threading.Lock()
        command = [*lastport(), "exec", "--session", *options]
        pipe = subprocess.PIPE
        # Ctrl-C is for the tests: the lab ends when they close it.
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        except FileNotFoundError as error:
            reason = f"there is no {command[0]}; take LASTPORT=/path/to/lastport in the environment"
            raise LabError(reason) from error
        self._ready = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._read, self._hear)]
        for thread in self._threads:
            thread.start()
        self._ready.wait()
        if not self.hosts:
            self.close()
            raise LabError(self._why())

    @property
    def complaints(self):
        """What lastport itself has written to standard error."""
        return "".join(self._complaints).strip()

    def exec(self, host, command, input=b"", timeout=None, environment=None, folder=None):
        """Run a program on a host to its end, and return what became of it."""
        return self.start(host, command, input, environment, folder).wait(timeout)

    def start(self, host, command, input=b"", environment=None, folder=None):
        """Start a program on a host, and return it. `folder` is by default the current one."""
        if isinstance(command, (str, bytes)):
            raise TypeError(f"a command is a list of words; take {shlex.split(os.fsdecode(command))}")
        number = next(self._numbers)
        program = self._programs[number] = Program(self, number, list(command))
        given = base64.b64encode(input.encode() if isinstance(input, str) else input).decode()
        where = {"host": host, "folder": str(folder or os.getcwd()), "environment": environment or {}}
        self.send(id=number, command=[os.fspath(word) for word in command], input=given, **where)
        return program

    def send(self, **message):
        """Send lastport a line."""
        with self._writing, contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def require(self):
        """Raise LabError if the lab broke."""
        if self._process.poll() and not self.results:
            raise LabError(self._why())

    def close(self):
        """End the lab, with all that runs in it."""
        with self._writing, contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        for thread in self._threads:
            thread.join()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close()
        if kind is None and (self.results.get("error") or not self.results):
            raise LabError(self.results.get("error") or self._why())

    def _why(self):
        return self.complaints or f"lastport ended with the status {self._process.returncode}"

    def _read(self):
        for line in self._process.stdout:
            message = json.loads(line)
            if "id" in message:
                self._programs[message["id"]].take(message)
            elif "refused" in message:
                self._complaints.append(f"{message['refused']}\n")
            elif "hosts" in message:
                self.hosts = message["hosts"]
                self._ready.set()
            else:
                self.results = message
        self._ready.set()
        for program in self._programs.values():  # which nobody can tell of any more
            if program._status is None:
                program.take({"status": FAILED, "complaint": "the lab ended"})

    def _hear(self):
        for line in self._process.stderr:
            self._complaints.append(line.decode(errors="backslashreplace"))


def nat(mapping=None, filtering=None, gateway=None, topology=None, profile=None, out=None, options=(), **settings):
    """Return a lab with a NAT of this mapping (`eim`, `adm` or `edm`) and filtering (`eif`, `adf` or `edf`).

    Further settings are those of `lastport list settings`, such as `ports=64`. `options` are words of the command.
    """
    chosen = {"mapping_type": mapping, "filtering_type": filtering, **settings}
    words = [f"--set={key}={_written(value)}" for key, value in chosen.items() if value is not None]
    for option, value in (("topology", topology), ("profile", profile), ("out", out)):
        words += [f"--{option}={value}"] if value is not None else []
    gateways = [gateway] if isinstance(gateway, str) else gateway or []
    return Lab([*words, *(f"--gateway={each}" for each in gateways), *options])


def lastport():
    """Return the words of the command: of LASTPORT in the environment, else the one beside this file."""
    own = Path(__file__).resolve().with_name("lastport")
    return shlex.split(os.environ.get("LASTPORT", "")) or [str(own) if own.exists() else "lastport"]


def _written(value):
    return value if isinstance(value, str) else json.dumps(value)


try:
    import pytest
except ImportError:  # it works without
    pass
else:

    def _made(**choice):
        try:
            return nat(**choice)
        except LabError as error:
            if "this machine cannot run it" in str(error) or isinstance(error.__cause__, FileNotFoundError):
                pytest.skip(f"no lab: {error}")
            raise

    @pytest.fixture(name="nat")
    def _nat():
        """Return the function `nat`; it skips the test on a machine that can have no lab."""
        return _made

    @pytest.fixture(scope="session")
    def shared_nat():
        """Return a function like `nat`, whose labs are kept: the same choice returns the same lab."""
        labs = {}
        with contextlib.ExitStack() as closing:

            def shared(**choice):
                key = repr(sorted(choice.items()))
                if key not in labs:
                    labs[key] = closing.enter_context(_made(**choice))
                return labs[key]

            yield shared
