"""Restyling: from a request for one image to a rendered file."""
