"""What hosts and the wire saw, and what became of each attempt by that."""
