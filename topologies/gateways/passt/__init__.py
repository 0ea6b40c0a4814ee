"""The NAT of rootless virtual machines and containers, passt, as it comes: a `pasta` for each inside host.

`gateway` is the node, and `facts` has what the program declares of itself, by its manual and its source code.
"""
