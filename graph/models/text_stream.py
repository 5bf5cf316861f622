"""The texts of a batch while transformers generates it, token by token."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from graph.support.stopping import check_stop

if TYPE_CHECKING:
    from torch import Tensor

Show = Callable[[str], None]
"""A function that takes the text of a reply so far."""


class TextStream:
    """A streamer of `model.generate`, in the form of transformers' `BaseStreamer`, for any number of rows.

    Args:
        decode: Returns the text of the new tokens of a row, as the reply will have it.
        stop: Strings that end a text.
        shows: Takes the text of each row after each token; None for a row that nobody reads.
    """

    def __init__(
        self,
        decode: Callable[[Sequence[int]], str],
        stop: Sequence[str],
        shows: Sequence[Show | None],
    ) -> None:
        self._decode = decode
        self._stop = stop
        self._rows: list[tuple[list[int], Show | None]] = [([], show) for show in shows]

    def put(self, value: "Tensor") -> None:
        """Take the next token of each row; the prompts, which come first, are no text.

        Raises:
            Stopped: Nobody wants the texts any more.
        """
        check_stop()
        if value.dim() > 1:
            return
        for (tokens, show), token in zip(self._rows, value.tolist(), strict=True):
            tokens.append(token)
            if show:
                show(settled(self._decode(tokens), self._stop))

    def end(self) -> None:
        """Do nothing: whoever asked for the batch has the whole texts then."""


def settled(text: str, stop: Sequence[str]) -> str:
    """Return the part of a text that further tokens do not change.

    A character can take several tokens; until the last of them it reads as U+FFFD. The end of the
    text may be the start of a stop string, which will be cut off.
    """
    text = text.rstrip("\ufffd")
    held_back = max(
        (length for mark in stop for length in range(1, len(mark)) if text.endswith(mark[:length])),
        default=0,
    )
    return text[: len(text) - held_back]
