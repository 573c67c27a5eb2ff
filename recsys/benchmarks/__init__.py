"""What `recsys bench` measures of training and ranking, each figure beside its baseline. Never part of a request."""
