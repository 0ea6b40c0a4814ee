"""What our own controller is measured against: a textbook's NAT, and a controller that decides nothing."""
