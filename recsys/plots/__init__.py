"""Plots for notebooks and documents: comparisons as charts, style as rows and maps of images."""
