"""Benchmark procedures and what they report."""
