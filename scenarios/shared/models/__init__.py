"""Models that predict what a NAT does, for comparison with what was observed. They know no network."""
