"""`lastport bench`: speed, with ratios to a reference that is measured in the same run.

The benches themselves are in `benchmarks/`, one file for each. Here is what they have in common: trials that run
in turn, each in a sandbox of its own, rows and ratios over the repetitions, the table, and the JSON.
"""
