"""`lastport exec`: programs of a user's own on the hosts of a lab, seen from outside of its sandbox."""
