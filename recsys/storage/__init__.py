"""Data that must survive a crash: artifacts on disk, the database of live data; and the cache of images."""
