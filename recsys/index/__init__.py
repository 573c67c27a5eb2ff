"""Search for nearest vectors by inner product: an exact index for comparison, and FAISS, behind one protocol.

Indexes are never saved: they are rebuilt from their vectors.
"""
