"""Our own NAT under test: a pure state machine (`nat`), its OpenFlow shell (`openflow`), and start-up."""
