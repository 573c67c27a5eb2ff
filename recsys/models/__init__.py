"""Collaborative filtering models behind one interface, `base.Model`."""
