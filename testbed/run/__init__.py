"""One run, from what the user typed to the verdict on the terminal.

`resolve` decides everything. `doctor` finds out whether this machine can run it. `launch` enters the sandbox, in
which `inside` builds the lab and runs the scenario. `results` keeps the results, and `terminal` shows them.
"""
