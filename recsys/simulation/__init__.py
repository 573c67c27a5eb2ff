"""Simulated users, events and experiments with a known truth, to test methods before real users meet them."""
