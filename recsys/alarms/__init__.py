"""Delivery of alarms: by webhook and mail command, each alarm once."""
