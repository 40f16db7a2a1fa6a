"""`lucid predict`."""


def predict(arguments):
    """`lucid predict`: soon."""
