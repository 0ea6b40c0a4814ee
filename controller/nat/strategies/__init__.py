"""What NATs do in different ways, with one short file for each strategy.

`allocators` choose a free port, `pooling` chooses an external address, and `exhaustion` decides what becomes of a
packet that gets none.
"""
