"""What several questions need: filling a NAT, rates, programs with one socket, and models."""
