"""What Linux's connection tracking reports by itself, for the recording of a run.

`events` is a program in the router's network namespace, `messages` is what the kernel sends to it, and `listener`
is the gateway's end.
"""
