"""What runs an experiment and judges it. A scenario imports `testbed.api`, and nothing else of this folder.

Each folder may import those before it: `sandbox`, `traffic`, `evidence`, `experiment`, `run`, then `compare` and
`bench`, then `command`. `registry` has the names of all that can be chosen, as strings. Nothing is imported here,
since the first process of a sandbox and the traffic's workers must start fast.
"""
