"""Problem details (RFC 9457): types and responses."""
