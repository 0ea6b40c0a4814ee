"""The NAT that a course's Ryu exercise ends with. Our own is compared with it."""
