"""NEST as a brain engine."""
