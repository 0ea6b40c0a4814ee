"""`python -m testbed.command` is the command line, as `./lastport` starts it."""

import signal

# Until there is a run to break off, Ctrl-C ends this program without a word. Where it is ignored, it stays so.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # ./lastport blocks it while Python itself starts

from testbed.command.cli import main  # noqa: E402 (after the signal)

main()
