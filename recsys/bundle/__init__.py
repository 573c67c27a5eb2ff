"""Bundles: everything trained, written, checked and swapped as one folder."""
