"""The NAT of rootless containers, slirp4netns, as it comes.

`gateway` is the node, and `facts` has what the program declares of itself, by its manual and its source code.
"""
