"""The demonstration: the real service in a temporary folder, with a stand-in for the provider on loopback."""
