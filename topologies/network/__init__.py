"""Mininet made fast: nodes, links and namespaces without a process for each step."""
