"""One way to train every engine of one's own: split, learn, stop, keep the best, say how good it is.

What differs from engine to engine is a `Recipe` (`style.training.recipe`, which says what a new engine needs).
"""
