"""Columns with and without a time zone."""
