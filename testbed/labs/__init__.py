"""Labs for a class: sheets, each student's variant of them, and marks with reasons.

A lab is a sheet in `docs/labs`, and a file of weights of the same name in `docs/labs/marks`. What is checked is
code, one module for each kind of submission. What it is worth is in the file, which an instructor may change.
"""
