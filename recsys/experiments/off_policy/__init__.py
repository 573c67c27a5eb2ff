"""Off-policy evaluation: what another policy would have earned, from logged choices and how probable each was.

A `Log` and the new policy's probabilities go into `evaluate.evaluate`; lists have `lists.evaluate_lists`, restyled
pictures `pictures.evaluate_pictures`. Whatever the log cannot answer is refused, or named by `support.Support`.
"""
