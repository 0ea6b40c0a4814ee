"""What a NAT may do in one way or another, one short file for each strategy.

`allocators` choose a free port, `pooling` an external address, and `exhaustion` what becomes of a packet that
gets none.
"""
