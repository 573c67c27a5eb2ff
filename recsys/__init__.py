"""People and products to decisions: data, models, taste, ranking, serving."""

__version__ = "0.1.0"
