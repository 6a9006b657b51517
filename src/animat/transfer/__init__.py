"""Transfer functions: their declarations, what they read and write, and the order in which they are called."""
