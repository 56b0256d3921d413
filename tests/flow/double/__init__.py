"""The parts of the double of a Flow Production Tracking site."""
