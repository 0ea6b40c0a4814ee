"""A real device, or a virtual machine, as the NAT: it is between two network interfaces of this machine.

`options` has what a user chooses, `facts` what such a NAT is held to, and `gateway` the node: two cables that end
in the machine's interfaces. `docs/how/box.md` is for the owner of the device.
"""
