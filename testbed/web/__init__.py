"""A run in a browser: while it goes on (`--web`), and afterwards from its recording (`lastport view`).

The page gets the bytes of a recording and nothing else, and draws all that it shows from them: live, or at any
instant. So whoever comes late, comes back, or looks at last week's run sees the same.

    sources     where the bytes of a recording are: a file that grows, or one that is finished
    site        who may read what: the token, the host's name, the answers
    serving     an HTTP server on an open socket
    process     that server beside a run, in a process of its own
    watching    what the launcher has of that process: it sends and never waits
    listening   the socket and its address
    page/       the page itself: modules of JavaScript without any build step
"""
