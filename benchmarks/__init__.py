"""The benches of `lastport bench`: one file for each, and `reference`, which ours is compared with."""
