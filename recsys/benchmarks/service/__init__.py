"""What `recsys bench serve` measures: the promises of the service, each against a real server beside its baseline."""
