"""A box in earnest: a Debian virtual machine, its own kernel and plain nftables rules, between two tap interfaces.

`lastport test -m box` asks for these tests. They need mmdebstrap and qemu, and take a few minutes.
"""
