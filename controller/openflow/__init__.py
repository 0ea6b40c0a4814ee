"""The NAT in a switch: OpenFlow rules as a cache of the NAT's mappings.

`pipeline` says what the four tables hold, as data; `router` decides on packets and returns commands;
`messages` turns commands into OpenFlow; `app` is the Ryu application, which only sends and receives.
`framework` is the only file that knows Ryu from its fork os-ken.
"""
