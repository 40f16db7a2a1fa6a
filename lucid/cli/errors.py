"""The error of a command that cannot do what it was asked."""


class UsageError(Exception):
    """What the user can mend; shown as one line, without a traceback."""
