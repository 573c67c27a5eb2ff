"""Authentication: API keys, scopes and signed URLs."""
