"""`lastport plan`: how many ports and addresses a NAT needs, found out on its own core, without a network.

    erlang        what telephone engineers have known since 1917: Erlang B, Engset
    poisson       plain calls, for comparison with their tables
    simulation    the core that a lab runs, from one arrival to the next
    shrunk, cut   subscribers and traces as small and as quick as a machine carries them
    interval      how sure the refused share is

Nothing here needs root, a switch or a clock.
"""
