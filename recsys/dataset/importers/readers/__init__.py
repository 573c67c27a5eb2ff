"""Readers of file formats: each turns a file into a `RawTable` of text columns."""
