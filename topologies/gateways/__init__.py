"""The NATs under test, as Mininet nodes: one folder for each kind.

A folder has `gateway` (the node), `facts` (what it can follow and what it does by itself, each with its source),
the template of its rules, and what reads its answers. `base` has what a scenario
asks of a gateway, `behaviour` what a gateway declares, and `linux` a router as the base of NATs in Linux.
"""
