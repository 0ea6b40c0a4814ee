"""A controller that ends before it listens.

python -m stillborn_controller CONFIGURATION.yaml PORT TELEMETRY_FD
"""

import sys

print("This controller has no licence.", file=sys.stderr)
sys.exit(3)
