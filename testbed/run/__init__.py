"""One run, from what the user typed to the verdict on the terminal.

`resolve` decides everything, `doctor` says whether this machine can do it, `launch` enters the sandbox, in which
`inside` builds the lab and runs the scenario; `results` keeps what comes of it, and `terminal` shows it.
"""
