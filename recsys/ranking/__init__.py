"""One request, readable in one function: retrieve, rank, rerank, explain, restyle (see `recommender`)."""
