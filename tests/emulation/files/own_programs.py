"""A scenario that runs programs on several hosts at once."""

from __future__ import annotations

from testbed.api import Experiment, Parameters, Scenario


class Programs(Scenario[Parameters]):
    """Do programs on several hosts at once reach one another?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Have one program wait on the server, and others greet it."""
        server = x.start("server", ["python3", "-c", SERVER])
        server.wait_for("ready ")
        seen = x.exec("alice", ["python3", "-c", CLIENT, "server"]).output
        late = x.exec("bob", ["sleep", "60"], timeout=0.1)
        lacking = x.exec("bob", ["no-such-program"])
        read = x.exec("bob", ["cat"], input=b"words").output
        x.check("what the server saw", expected=f"ready {seen}", observed=server.wait().output, source="both ends")
        x.check("statuses", expected=[124, 127], observed=[late.status, lacking.status], source="a shell")
        x.check("what was read", expected="words", observed=read, source="the input")
        x.account()


SERVER = """
import socket
listening = socket.create_server(("", 9000))
print("ready ", end="", flush=True)
connection, source = listening.accept()
connection.sendall(("%s:%s" % source).encode())
print("%s:%s" % source, end="")
"""
CLIENT = """
import socket, sys
print(socket.create_connection((sys.argv[1], 9000)).makefile().read(), end="")
"""
