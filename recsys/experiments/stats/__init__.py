"""Statistics of experiments: pure functions from sufficient statistics of arms to effects.

Every metric is brought to one `Moments` per arm first: a mean as it is, a ratio by `JointMoments.ratio`, an adjusted
metric by `cuped.adjust`. Functions that compare two arms take two `Moments` and do not depend on their source.
"""
