"""Results as a page to look at, for other programs, and checked against their schema.

schema.py, reading.py     what `results.json` and its like hold, and refusing what does not match
page.py, templates/       `report.html`: one file, the same bytes for the same results, below 1 MB
answer.py, figures.py     what the page says in words, and what it draws
svg.py, charts.py         the figures themselves
junit.py, export.py       the checks for a CI server, and the tables as CSV
"""
