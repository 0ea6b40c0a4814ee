"""A run's own network, mount and PID namespaces, with a private Open vSwitch.

    lastport (outside)     `enter`: starts the sandbox, reads its records, writes the results
      unshare
        init (PID 1)       `init`: mounts, then watches every process that the run depends on
          runner           the scenario: builds the lab, drives the traffic, checks
            ovsdb-server, ovs-vswitchd, controller, hosts' shells, traffic workers

Nothing needs to be cleaned up: when PID 1 ends, the kernel ends all the others, and with them go the network, the
mounts and the files. PID 1 ends when its work is done, when a watched process dies, or when the launcher is gone.
It knows the last by a socket: the other end closes with the launcher, however that ends.
"""
