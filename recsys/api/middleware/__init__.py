"""ASGI middleware around the routes.

Outermost first: request context, tracing, gatekeeper, response cache, body limit, idempotency.
"""
