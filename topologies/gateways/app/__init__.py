"""Somebody's OpenFlow controller as the NAT, unchanged, on a bare bridge.

`gateway` is the node. `options` reads what the user chose, and `wiring` is what the controller is given to know.
`program` runs it as a process of its own, `relay` leads to a controller that runs outside of the sandbox, and
`facts` has what a stranger's NAT is held to. `docs/how/app.md` is for its author.
"""
