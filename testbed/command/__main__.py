"""`python -m testbed.command` is the command line, as `./lastport` starts it."""

import signal

# While this program is being loaded, Ctrl-C ends it without a word. Where it is ignored, it stays ignored.
was = signal.getsignal(signal.SIGINT)
if was is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from testbed.command.cli import main  # noqa: E402 (after the signal)

signal.signal(signal.SIGINT, was)
main()
