"""One exception for everything a user can put right, and writing files so that none is left half-made."""



class InputError(ValueError):
    """Bad input, told in one sentence: what is wrong, where, and what was expected."""
