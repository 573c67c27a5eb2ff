"""Off-policy evaluation: the reward of another policy, from logged choices and their propensities.

A `Log` and the new policy's probabilities go into `evaluate.evaluate`; for lists use
`lists.evaluate_lists`, for restyled images `restyling.evaluate_restyling`. Questions that the log cannot answer raise
an error, or `support.Support` names the problem.
"""
