"""Scenarios on several gateways in turn, side by side."""
