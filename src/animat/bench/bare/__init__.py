"""A bare PyNEST script with the network of the loop's brain."""
