"""`lastport bench`: speed, with ratios to a reference that is measured in the same run.

What is measured stands in `benchmarks/`, one file for each bench. Here is what they have in common: trials in
turn, each in a sandbox of its own; rows and ratios over the repetitions; the table, and the JSON.
"""
