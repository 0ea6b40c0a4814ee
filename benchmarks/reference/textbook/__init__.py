"""The NAT that a course's Ryu exercise ends with: the honest reference that ours is compared with."""
