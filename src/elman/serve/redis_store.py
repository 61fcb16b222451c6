"""Streams in redis: several servers of a run behind one address can then answer for any of them.

It does not know what the bytes mean. redis is imported when a store is made.
"""

from elman.errors import RunError
from elman.serve import require
from elman.serve.store import Store

PREFIX = "elman:stream:"
SECONDS = 5
"""That redis may take for an answer."""

REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


class RedisStore(Store):
    """A key for each stream.

    Args:
        url: redis://HOST:PORT/DATABASE, as redis's own client takes it.
        expire: days.

    """

    shared = True

    def __init__(self, url: str, expire: float) -> None:
        require("redis")
        import redis

        self._failures = (redis.RedisError, ValueError)
        self._url, self._seconds = url, max(1, round(86_400 * expire))
        try:
            self._client = redis.Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
            self._client.ping()
        except self._failures as error:
            raise self._error(error) from error

    def put(self, name: str, value: bytes) -> None:
        """Set the key."""
        try:
            self._client.set(PREFIX + name, value, ex=self._seconds)
        except self._failures as error:
            raise self._error(error) from error

    def replace(self, name: str, value: bytes, before: bytes) -> bool:
        """Set the key, if nobody has set it meanwhile."""
        try:
            return bool(self._client.eval(REPLACE, 1, PREFIX + name, before, value, self._seconds))
        except self._failures as error:
            raise self._error(error) from error

    def get(self, name: str) -> bytes | None:
        """Get the key."""
        try:
            found: bytes | None = self._client.get(PREFIX + name)  # type: ignore[assignment]
        except self._failures as error:
            raise self._error(error) from error
        return found

    def remove(self, name: str) -> bool:
        """Delete the key."""
        try:
            return bool(self._client.delete(PREFIX + name))
        except self._failures as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _error(self, error: Exception) -> RunError:
        return RunError(f"cannot keep streams in {_shown(self._url)}: {str(error).rstrip('.')}; look after redis there")


def _shown(url: str) -> str:
    """The address without its password."""
    scheme, mark, rest = url.partition("://")
    return scheme + mark + rest.rpartition("@")[2]
