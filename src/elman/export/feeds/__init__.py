"""What goes into an exported model, one file for each modality that a network reads."""

from torch import nn

from elman.export.feeds.base import Fed, Feed
from elman.export.feeds.images import ImageFeed
from elman.export.feeds.recordings import RecordingFeed
from elman.export.feeds.series import SeriesFeed
from elman.export.feeds.symbols import SymbolFeed
from elman.export.feeds.turns import TurnFeed
from elman.export.feeds.videos import VideoFeed
from elman.export.feeds.words import WordFeed
from elman.modalities.base import Input

__all__ = ["FEEDS", "Fed", "Feed", "feed_of"]

FEEDS: tuple[type[Feed], ...] = (WordFeed, SymbolFeed, SeriesFeed, ImageFeed, VideoFeed, RecordingFeed, TurnFeed)


def feed_of(read: Input, reader: nn.Module | None) -> Feed:
    """The feed of a network that reads this modality by this reader."""
    kind = next(kind for kind in FEEDS if isinstance(read, kind.modality))
    return kind(read, reader)
