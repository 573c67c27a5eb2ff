"""Pixels to style vectors to pixels. Knows no users and never imports `recsys`."""
