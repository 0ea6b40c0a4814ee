"""Our own NAT: flow rules in Open vSwitch, made by the controller in `controller/`."""
