"""Colours of CSS: how well one can be read on another."""


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2), each `rgb(1, 2, 3)` or `#010203`."""
    dark, light = sorted([_luminance(one), _luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    if colour.startswith("#"):
        parts = [part / 255 for part in bytes.fromhex(colour[1:])]
    else:
        parts = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
