"""`python -m controller CONFIGURATION.yaml PORT TELEMETRY_FD`: see `controller.process.start`."""

from controller.process.start import main

main()
