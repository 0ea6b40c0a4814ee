"""Our own NAT under test: a pure state machine (`nat`), its OpenFlow shell (`openflow`), and start-up (`process`).

`settings` has the settings of a NAT, `wiring` what a controller needs besides, and `api` what a file with an
allocator or a policy of one's own imports.
"""
