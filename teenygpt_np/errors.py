"""The one kind of error that the user can correct."""


class InputError(ValueError):
    """An argument, a file or a text that cannot be used; says what came and what was wanted.

    A command line prints it in one line and exits with status 2. Where a command line ends with the
    traceback of another exception, that is a bug in this program.
    """
