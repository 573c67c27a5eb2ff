"""All that must survive a crash: artifacts on disk, the event log, the cache."""
