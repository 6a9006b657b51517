"""Servers in front of a brain, and their clients."""
