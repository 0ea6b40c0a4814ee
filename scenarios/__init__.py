"""What we ask of a NAT: sixteen questions, one page each. What several of them need is in `shared`."""
