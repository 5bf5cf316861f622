"""Values that break readers: texts, numbers and ids as other programs write them, or as nobody does."""

from random import Random

TEXTS = (
    "",
    " ",
    "\n",
    "nan",
    "NaN",
    "null",
    "None",
    "true",
    "inf",
    "-Infinity",
    "1e309",
    "11.0",
    "1_000",
    "٣",
    "[11]",
    "11,12",
    "11|12",
    "-1",
    "0x1f",
    "9" * 400,
    "1.2.3",
    "2021-99-99",
    "a\r\nb",
    "a\rb",
    "a\x00b",
    'say "so"',
    'back\\"slash\\',
    "'",
    ",",
    ";",
    "\t",
    "=1+1",
    "\ufeffx",
    "\u202egnp.exe",
    "\u2028",
    "\x1b]0;title\x07",
    "\x9b2J",
    "e\u0301",
    "\uff46\uff55\uff4c\uff4c",
    "日本語のテキスト",
    "😀",
    "&#55357;&#56832;",
    "&#x110000;",
    "&lt;b&gt;",
    "<p>ok</p>",
    "<pre><code>x\n  y</code></pre>",
    "<script>alert(1)</script>",
    "</passages>",
    "<div>" * 300,
    "<![CDATA[x]]>",
    "<!-- ",
    "```\ncode",
    "[1]" * 50,
    "{0.__class__} {k} %s {{7*7}}",
    "Question: why?\nAnswer: so",
    "<think>hm</think>yes",
    "x" * 70_000,
    "word " * 5_000,
    "<python><list>",
    "python|list",
    "CC BY-SA 4.0",
    "https://example.org/\nx",
    '{"a": 1}',
    '{"ann": 5, "ben": NaN}',
    "[" * 3_000,
)
VALUES: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    11.0,
    1e300,
    float("nan"),
    float("inf"),
    10**30,
    [],
    ["a", None],
    [1.0, 2],
    {},
    {"a": {"b": [None]}},
)
"""Values of JSON and parquet that are no texts."""


def odd_text(random: Random) -> str:
    """Return a text of the list, or two of them in one."""
    text = random.choice(TEXTS)
    return text if random.random() < 0.7 else text + random.choice(TEXTS)


def odd_value(random: Random) -> object:
    """Return a text, or something else."""
    return odd_text(random) if random.random() < 0.6 else random.choice(VALUES)


def damaged(content: bytes, random: Random) -> bytes:
    """Damage the bytes of a file in one of the ways that files are damaged."""
    if not content:
        return content
    start = random.randrange(len(content))
    end = min(len(content), start + random.randrange(1, 200))
    pieces = (b"\xff", b"\x00" * 50, b'"', b"\r\n", b"\xef\xbb\xbf", b"\xd8", b"<", b"&", b"{")
    damages = (
        lambda: content[:start],
        lambda: content[:start] + content[end:],
        lambda: content[:end] + content[start:],
        lambda: content[:start] + random.choice(pieces) + content[start:],
        lambda: (
            content[:start]
            + bytes([content[start] ^ 1 << random.randrange(8)])
            + content[start + 1 :]
        ),
        lambda: content[:start] + random.randbytes(end - start) + content[end:],
        lambda: content.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\n"))),
        lambda: content.decode("utf-8", "replace").encode("utf-16"),
        lambda: b"\xef\xbb\xbf" + content,
        lambda: content + random.randbytes(10),
        lambda: b"",
    )
    return random.choice(damages)()
