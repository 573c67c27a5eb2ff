"""Offline evaluation: metrics, and the protocol that applies them."""
