"""animat: a brain, a body and a world in one closed loop."""
