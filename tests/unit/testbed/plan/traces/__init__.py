"""Tests of `testbed/plan/traces`."""
