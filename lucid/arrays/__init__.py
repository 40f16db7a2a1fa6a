"""What the rest of the library needs around NumPy arrays."""
