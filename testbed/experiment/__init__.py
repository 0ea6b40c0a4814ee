"""What a scenario is, and what its `run` is given: a running lab, and the verbs by which it acts and reports."""
