"""What the network is: declarative Mininet topologies, buildable without root.

A topology is a drawing, an address plan and a `build()`. Scenarios see only its roles: the clients inside, the
servers outside, and the gateway between them, or several.
"""
