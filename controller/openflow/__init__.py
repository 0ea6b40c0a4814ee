"""The NAT in a switch: OpenFlow rules as a cache of the NAT's mappings.

`pipeline` says what the four tables hold, as data; `router` decides on packets, and tells a `switch` what to do.
That is an `outbox`, which turns it into OpenFlow: by `templates`, made of what `messages` makes. `loop` and `app`,
the Ryu application, only send and receive. `framework` is the only file that knows Ryu from its fork os-ken.
"""
