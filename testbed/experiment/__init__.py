"""What a scenario is, and what it is given: a running lab, and the verbs by which it reports."""
