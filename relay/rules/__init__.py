"""Pure rules: no clock, no randomness, no I/O; what they need of these comes as an argument."""
