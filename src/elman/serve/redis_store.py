"""Streams in redis: several servers of a run behind one address can then answer for any of them.

It does not know what the bytes mean. redis is imported when a store is made.
"""

from typing import Any

from elman.errors import RunError
from elman.serve import require
from elman.serve.store import SHORT, Store

PREFIX = "elman:stream:"
CENTURY = 36_500
"""Days; redis has no key without an end that is set like the others."""
SECONDS = 5
"""That redis may take for an answer."""

REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


ADOPT = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('RENAMENX', KEYS[1], KEYS[2]) end
return redis.call('GET', KEYS[2])
"""


class RedisStore(Store):
    """A key for each stream.

    Args:
        url: redis://HOST:PORT/DATABASE, as redis's own client takes it.
        expire: days.
        run: the fingerprint of the run whose streams they are.

    """

    shared = True

    def __init__(self, url: str, expire: float, run: str) -> None:
        require("redis")
        import redis

        self._failures = (redis.RedisError, ValueError)
        self._url, self._seconds, self._run = url, max(1, round(86_400 * min(expire, CENTURY))), run
        try:
            self._client = redis.Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
            self._client.ping()
        except self._failures as error:
            raise self._error(error) from error

    def put(self, name: str, value: bytes) -> None:
        """Set the key."""
        try:
            self._client.set(self._key(name), value, ex=self._seconds)
        except self._failures as error:
            raise self._error(error) from error

    def replace(self, name: str, value: bytes, before: bytes) -> bool:
        """Set the key, if nobody has set it meanwhile."""
        try:
            return bool(self._client.eval(REPLACE, 1, self._key(name), before, value, self._seconds))
        except self._failures as error:
            raise self._error(error) from error

    def get(self, name: str) -> bytes | None:
        """Get the key."""
        try:
            found: Any = self._client.get(self._key(name))
            old: Any = None if found is not None else self._client.get(PREFIX + name)  # before runs stood in keys
            if old is not None and self._run.encode() in old:
                found = self._client.eval(ADOPT, 2, PREFIX + name, self._key(name), old)
        except self._failures as error:
            raise self._error(error) from error
        return found  # type: ignore[no-any-return]

    def remove(self, name: str) -> None:
        """Delete the key."""
        try:
            self._client.delete(self._key(name))
        except self._failures as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _key(self, name: str) -> str:
        return f"{PREFIX}{self._run[:SHORT]}:{name}"

    def _error(self, error: Exception) -> RunError:
        return RunError(f"cannot keep streams in {_shown(self._url)}: {str(error).rstrip('.')}; look after redis there")


def _shown(url: str) -> str:
    """The address without its password."""
    scheme, mark, rest = url.partition("://")
    return scheme + mark + rest.rpartition("@")[2]
