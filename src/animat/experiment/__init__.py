"""The description of an experiment: its schema, reading it from a folder, and everything checked before a run."""
