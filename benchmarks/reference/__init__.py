"""What ours is measured against: a textbook's NAT, and a controller that decides nothing."""
