"""The version, in one place; a leaf."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("elman")
except PackageNotFoundError:  # run from a source tree that was never installed
    VERSION = "0+unknown"
