"""Somebody's program as the NAT: it has two network interfaces, in a namespace with nothing else in it.

`gateway` is the node, and `options` reads the command. `docs/how/program.md` is for the program's author.
"""
