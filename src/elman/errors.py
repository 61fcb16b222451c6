"""Every error and warning that Elman raises on purpose; a leaf that imports nothing.

    ElmanError                 the user's input or surroundings cannot be worked with; its text says what to do
    ├── UsageError             the call itself is wrong: an unknown name, options that exclude each other
    ├── DataError              a file's content cannot be used
    ├── RunError               a run folder cannot be read, written or continued
    └── NonFiniteError         training left the finite numbers
    FallbackWarning            a slower way is taken than the one asked for or expected, and why

Shape and type errors of the layers are the built-in ones that torch.nn raises, with torch's texts.
"""


class ElmanError(Exception):
    """The user's input or surroundings cannot be worked with; the text is one sentence that says what to do.

    Attributes:
        told: whether another process, which works together with this one, says it already.
    """

    told = False


class UsageError(ElmanError):
    """The call itself is wrong: an unknown name, an option out of range, options that exclude each other."""


class DataError(ElmanError):
    """A file's content cannot be used."""


class RunError(ElmanError):
    """A run folder cannot be read, written or continued."""


class NonFiniteError(ElmanError):
    """A loss or gradient became infinite or not-a-number; the last good state is kept."""


class FallbackWarning(UserWarning):
    """A slower way is taken than the one expected; the text says which and why. Given once for each reason."""
