"""`lastport sweep`: every combination of some values, several times each, on one machine or on many.

    grid         the combinations of `--grid`
    point        one run or plan of a sweep, and how it is carried out
    log          the points that are done, a line of JSON each, which a later command goes on from
    estimates    what was measured, with 95 % intervals, and what differs between combinations
    sweep        which point comes next, and what the results say
    spreading    the seam: work for an executor of `concurrent.futures`, whose processes may be lost
    cluster      such an executor on many machines, by Dask
    sameness     what has to be the same on all of them
    apart        a lab in a process of its own, on a worker that has several threads

A class's submissions are graded over the same seam.
"""
