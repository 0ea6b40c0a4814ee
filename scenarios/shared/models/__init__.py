"""Models that predict what a NAT does, to be set beside what was observed. They know no network."""
