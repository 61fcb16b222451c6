"""What a service takes at most, and how long it waits: so that its memory stays constant. A leaf."""

from dataclasses import dataclass, fields

from elman.errors import UsageError

LEAST = {"wait": 0.0, "expire": 0.0}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a service takes at most.

    Attributes:
        wait: milliseconds that a request waits for others at most, to be computed with them.
        rows: rows, or streams, that are computed at once at most, of several requests together.
        requests: requests that are in work or wait; more are answered 503.
        body: bytes of a request; more are answered 413.
        streams: streams whose state is kept in memory; the others lie on disk.
        expire: days after which a stream that nobody feeds is forgotten.

    """

    wait: float = 2.0
    rows: int = 256
    requests: int = 256
    body: int = 1 << 20
    streams: int = 1024
    expire: float = 7.0

    def __post_init__(self) -> None:
        """Check the ranges; UsageError."""
        for name in (field.name for field in fields(self)):
            value, least = getattr(self, name), LEAST.get(name, 1)
            if not value >= least:
                raise UsageError(f"--{name} {value} is out of range; it must be at least {least}")
