"""What hosts and the wire saw of a run, and what became of each attempt, as that shows."""
