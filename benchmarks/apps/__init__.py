"""The measured applications: the same endpoints on the same tables.

The docstring of an endpoint names its task in benchmarks/tasks.py.
"""
