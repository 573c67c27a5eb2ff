"""Overload protection: admission, rate limits, load shedding, draining."""
