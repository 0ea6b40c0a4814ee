"""Labs for a class: sheets, each student's variant of them, and marks with reasons.

A lab is a sheet (`docs/labs/NAME.md`) and a file of weights (`docs/labs/marks/NAME.yaml`). What is checked is
code, one module for each kind of submission. What it is worth is in the file, which an instructor may change.
"""
