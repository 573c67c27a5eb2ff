"""The statistics of experiments: pure functions from sufficient statistics of arms to effects.

Every metric is brought to one `Moments` per arm first: a mean as it is, a ratio by `JointMoments.ratio`, an adjusted
metric by `cuped.adjust`. What compares two arms takes two `Moments` and does not know where they came from.
"""
