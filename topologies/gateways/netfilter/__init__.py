"""Linux's NAT: nftables and connection tracking."""
