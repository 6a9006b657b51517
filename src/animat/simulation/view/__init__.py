"""The live view: body, spikes and rates of a running simulation on a local page."""
