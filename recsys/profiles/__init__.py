"""Profiles of users: taste in style space, also with little or no history."""
