"""The NAT that a course's Ryu exercise ends with, `docs/examples/apps/textbook.py`. Our own is compared with it."""
