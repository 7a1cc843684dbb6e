"""The one error that is the user's to mend."""


class InputError(ValueError):
    """What came and what was wanted, in one line.

    Library code raises it where an argument, a file or a text that the user gave cannot be used;
    a command line prints it and exits with status 2. Anything else that is raised is our mistake.
    """
