"""Measurements, each in a file of its own: ``python -m benchmarks.<name> --help``.

They talk to servers that they start themselves, and end by themselves.
"""
