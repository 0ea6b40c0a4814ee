"""Tests of `testbed/plan`."""
