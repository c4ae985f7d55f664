"""The warnings about one ticket as a whole, each in a file: when it is raised, when it is cleared."""
