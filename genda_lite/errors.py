"""One exception for everything a user can put right."""


class InputError(ValueError):
    """Bad input, told in one sentence: what is wrong, where, and what was expected.

    Whatever names and values of a file the sentence quotes, it is one line that any terminal and file can take.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(str(message).split()).encode("utf-8", "backslashreplace").decode())
