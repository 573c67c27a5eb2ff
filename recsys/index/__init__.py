"""Nearest vectors by inner product: an exact oracle and the FAISS engine behind one protocol.

Indexes are never saved: they are rebuilt from their vectors.
"""
