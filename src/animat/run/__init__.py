"""The folder that a simulation leaves behind: writing it, reading it, comparing, exporting, and its report."""
