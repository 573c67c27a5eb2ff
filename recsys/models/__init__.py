"""Models of what people want: each behind `base.Model`."""
