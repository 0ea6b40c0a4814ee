"""What we ask of a NAT: scenarios, and all that it takes to run one.

`cli` is the command line; `sandbox` keeps a run apart from the machine; `lab` builds the network in it;
`traffic` opens the connections; `evidence` decides what became of them. Each scenario is one file.
"""
