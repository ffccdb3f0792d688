"""One exception for everything a user can put right."""



class InputError(ValueError):
    """Bad input, told in one sentence: what is wrong, where, and what was expected."""
