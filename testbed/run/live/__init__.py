"""What goes on, for those who watch: a picture that is redrawn on a terminal, or lines where there is none.

`watched` knows a run by its records, and `words` what happens in it. `screen` draws it as lines of a size, and
`bar` is one of these lines. None of them knows a terminal or asks what time it is. `display` has the terminal, and
a thread in which everything is written, so that no slow terminal holds a run. `view` is a run for it.
"""
