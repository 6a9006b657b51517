"""Brains: the network description, devices, the engine protocol, and the engines that run it."""
