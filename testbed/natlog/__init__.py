"""The log that a carrier must keep: who had which external port, and when (RFC 6888 REQ-12 to REQ-14, RFC 7422).

    lines      the lines of such a log, written and read
    keeping    mappings or blocks as they come and go, as lines
    who        the subscriber behind an external address and port at a time

Three kinds answer the same question at different prices. `mappings` has two lines for each mapping. `blocks` has a
line for each block of ports that changes hands. Where ports are assigned by arithmetic (`deterministic`), one line
is enough for all time. No kind has destinations (RFC 6888 REQ-12).
"""
