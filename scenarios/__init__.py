"""The questions that are asked of a NAT, one page each. What several of them need is in `shared`."""
