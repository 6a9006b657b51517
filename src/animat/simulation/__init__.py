"""A running experiment: lifecycle, closed loop, events, profile, control endpoint, and the processes around them."""
