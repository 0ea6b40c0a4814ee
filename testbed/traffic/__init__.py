"""Real connections, opened from few processes that enter the hosts' network namespaces.

`client` and `server` are programs of their own, light to start, that take orders as lines of JSON on a socket.
`drive` is the scenario's side of them. `wire` is what client and server send to one another.
"""
