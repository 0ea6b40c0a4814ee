"""What `lastport bench` measures: one file for each bench, and what it compares with."""
