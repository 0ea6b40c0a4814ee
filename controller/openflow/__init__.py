"""The NAT in a switch: OpenFlow rules as a cache of the NAT's mappings.

`pipeline` has the rules of all tables, as data. `router` decides on packets, and gives orders to a `switch`.
That is an `outbox`, which turns them into OpenFlow: by `templates`, made of what `messages` makes. `loop` and
`app`, the Ryu application, only send and receive. `framework` is the only file that knows Ryu from its fork
os-ken.
"""
