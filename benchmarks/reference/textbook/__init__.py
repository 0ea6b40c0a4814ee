"""The NAT that a course's exercise ends with, `docs/examples/apps/textbook.py`. Our own is compared with it."""
