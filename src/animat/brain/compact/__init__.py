"""A brain engine for large networks of point neurons on one machine: a few bytes a synapse, and all cores."""
