"""The NATs under test, as Mininet nodes: one folder for each kind.

A folder has `gateway` (the node), `facts` (what it can follow and what it does by itself, each with its source),
the template of its rules, and what reads its answers. `base` says what a gateway is asked, `behaviour` what it
declares.
"""
