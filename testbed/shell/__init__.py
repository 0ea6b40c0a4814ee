"""The prompt in a lab: Mininet's own, with words for the NAT. `session` opens it; the rest are its words."""
