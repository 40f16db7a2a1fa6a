"""What the command ends with when it cannot do what it was asked."""

#: Exit codes: 2 for what the user can mend, 130 for Ctrl-C, as shells have it.
USAGE, INTERRUPTED = 2, 130


class UsageError(Exception):
    """What the user can mend; shown as one line, without a traceback."""
