"""Tests of `testbed/natlog`."""
