"""Text from outside in a form that can be written, tokenised and shown on one line."""


def one_line(message: object, limit: int = 300) -> str:
    """Return a message of a library on one line of at most `limit` characters."""
    return " ".join(str(message).split())[:limit]


def without_surrogates(text: str) -> str:
    """Replace lone surrogates, which no tokenizer takes and no UTF-8 file can hold, by "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")
