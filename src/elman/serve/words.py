"""Text as JSON may hold it, checked: a leaf."""

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("half_a_pair", "The text holds half of a surrogate pair, which is no text") from error
    return text


Text = Annotated[str, AfterValidator(_whole)]
"""A text that has a form in UTF-8."""
