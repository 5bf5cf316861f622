"""One context a question: the prompts of all steps begin alike, in characters and in tokens."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import takewhile
from random import Random

import pytest
from tokenizers import Encoding

from graph.config import config_names, load_settings
from graph.models.budget import CUT_MARK, FittedPrompt, PromptFitter
from graph.models.engines.request_engine import protect, request_fitter
from graph.models.engines.token_usage import estimate_tokens
from graph.schema import Config
from graph.stages import stages
from graph.support.errors import PromptTooLongError
from prompts.context import _WORDS
from tests.fakes.fake_models import (
    FakeRetriever,
    LengthScorer,
    PromptRecorder,
    SentPrompt,
    documents,
)
from tests.fakes.properties import ALL_TESTS
from tests.fakes.subword_tokenizers import KINDS, subword_tokenizer

STATES = 500 if ALL_TESTS else 150
FIRST = "[1] title 1\n"
WINDOWS = (200, 300, 450, 700, 1_000, 1_500, 3_000, 8_000, 40_000)
OVERRIDES = (
    ["refine.accept=preferred"],
    ["rerank.method=likelihood", "rerank.drafts=3"],
    ["rerank.method=consensus", "rerank.drafts=3"],
    ["refine.max_rounds=2"],
    ["rerank.candidates=[extract, baseline]"],
)
PIECES = [
    "word ",
    "a sentence of some words. ",
    "x = {1: '.'}\n",
    "```py\nfor i in range(3):\n    print(i)\n```\n",
    "\n\n",
    "\n",
    "   ",
    "\t",
    "漢字かな",
    "\u041a\u0430\u043a \u044d\u0442\u043e? ",
    "\U0001f600",
    "\ud800",
    "{draft} ",
    "</passages>\n",
    "<|im_end|>\n",
    "[INST] ",
    "[1] ",
]
FORMATS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "phi": lambda text: f"Instruct: {text}\nOutput:",
    "chatml": lambda text: f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n",
    "trimmed": lambda text: f"[INST] {text.strip()} [/INST]",
}


def config_of(random: Random) -> Config:
    without_passages = ("baseline", "extract", "semantic_pick", "keyword_pick", "hybrid_pick")
    name = random.choice([name for name in config_names() if name not in without_passages])
    overrides = [f"generation.max_new_tokens={random.choice([1, 8, 48, 256])}"]
    if "rerank" in name or random.random() < 0.3:
        extra = random.choice(OVERRIDES)
        needs_reranking = any(field.startswith("rerank") for field in extra)
        overrides += extra if "rerank" in name or not needs_reranking else []
    return load_settings(name, "embedded", overrides).config


def sent_prompts(config: Config, random: Random) -> list[SentPrompt]:
    """Run the nodes of a config on a drawn question, and return the prompts of its model calls."""

    def draw(longest: int) -> str:
        pieces = random.choices([*PIECES, *(f"<draft {word}> {word} " for word in _WORDS[:4])], k=9)
        return "".join(random.choices(pieces, k=random.randint(0, longest)))

    def draw_reply() -> str:
        echo = model.sent[-1].prompt if model.sent else None
        kind = random.randrange(6)
        if kind == 0:
            return " ".join(_WORDS)
        if kind == 1 and echo:
            # It repeats its prompt, with all of its tags.
            return "1. Look:\n" + echo.render()[: random.choice([200, 1_500])]
        if kind == 2 and echo:
            return f"1. {echo.context.boundary} </draft {echo.whole['boundary']}>\n" * 3
        return f"1. {draw(60)}"

    model = PromptRecorder(lambda _: draw_reply())
    texts = [draw(random.choice([3, 40, 200])) for _ in range(random.choice([0, 1, 3, 5]))]
    state = {"question": f"why? {draw(random.choice([2, 30, 200]))}"}
    retriever = FakeRetriever(documents=documents(*texts))
    nodes = stages(config, model, model, retriever, LengthScorer())
    for name, node in nodes.items():
        if name == "refine" and not state["points"]:
            break
        state.update(node(state))
    return model.sent


def shared(sent: list[SentPrompt]) -> list[SentPrompt]:
    """Return the prompts with the passages; an extra candidate is written without them."""
    longest = max(len(row.prompt.context.passages) for row in sent)
    return [row for row in sent if len(row.prompt.context.passages) == longest]


def fit(fitter: PromptFitter, row: SentPrompt) -> FittedPrompt | None:
    try:
        return fitter.fit(*row)
    except PromptTooLongError:
        return None


def context_in(text: str, row: SentPrompt) -> str:
    """Return a prompt up to the end of its context."""
    name = "passages" if row.prompt.context.passages else "question"
    closing = f"</{name} {row.prompt.context.boundary}>\n\n"
    assert text.count(closing) == 1
    return text.partition(closing)[0] + closing


def common_characters(encodings) -> int:
    """Return the length of the text of the first tokens that all encodings share."""
    columns = zip(*(encoding.ids for encoding in encodings), strict=False)
    count = sum(1 for _ in takewhile(lambda column: len({*column}) == 1, columns))
    return encodings[0].offsets[count - 1][1] if count else 0


class Case:
    """The prompts of a question, fitted into a window with a tokenizer."""

    def __init__(self, random: Random) -> None:
        config = config_of(random)
        self.max_new_tokens = config.generation.max_new_tokens
        self.sent = shared(sent_prompts(config, random))
        self.tokenizer = subword_tokenizer(random.choice(KINDS))
        self.wrap = FORMATS[random.choice(sorted(FORMATS))]
        self.window = random.choice(WINDOWS)
        fitter = PromptFitter(window=self.window, count=self.count, protect=protect, wrap=self.wrap)
        self.outcomes = [fit(fitter, row) for row in self.sent]
        self.fitted = [row for row in zip(self.sent, self.outcomes, strict=True) if row[1]]

    def encode(self, text: str) -> Encoding:
        return self.tokenizer.encode(text, add_special_tokens=False)

    def count(self, text: str) -> int:
        return len(self.encode(text).ids)

    def is_too_long(self, row: SentPrompt) -> bool:
        """Tell whether a prompt is too long even without passages and drafts."""
        prompt = replace(
            row.prompt,
            cuttable=dict.fromkeys(row.prompt.cuttable, ""),
            context=replace(row.prompt.context, passages=()),
        )
        bare = self.wrap(protect(prompt.render()) + row.suffix)
        return self.count(bare) > self.window - row.reply_tokens

    def with_room(self) -> Iterator[tuple[list[str], FittedPrompt]]:
        """Yield the own texts that are no longer than planned, and their prompts."""
        for row, outcome in self.fitted:
            own = [protect(text) for text in row.prompt.cuttable.values()]
            room = min(len(own) * self.max_new_tokens, (self.window - row.reply_tokens) // 2)
            # In place a text may have some tokens more than alone.
            if own and sum(map(self.count, own)) + 8 <= room and FIRST in outcome.text:
                yield own, outcome


@pytest.mark.parametrize("part", range(STATES // 50))
def test_all_steps_share_the_whole_context_and_none_exceeds_the_window(part):
    kinds: Counter[str] = Counter()
    for number in range(50):
        case = Case(Random(part * 1_000 + number))
        for row, outcome in case.fitted:
            assert outcome.tokens == case.count(outcome.text) <= case.window - row.reply_tokens
            assert outcome.cut_tokens >= 0
        contexts = {context_in(outcome.text, row) for row, outcome in case.fitted}
        assert len(contexts) <= 1
        for context in contexts:
            encodings = [case.encode(outcome.text) for _, outcome in case.fitted]
            assert common_characters(encodings) >= len(context)
            kinds["cut" if CUT_MARK in context else "whole"] += 1
        # A question that does not fit with an instruction has no passages in any step.
        is_too_long = [case.is_too_long(row) for row in case.sent]
        assert [outcome is None for outcome in case.outcomes] == is_too_long
        assert not (any(is_too_long) and any(FIRST in context for context in contexts))
        kinds["too long"] += any(is_too_long)
        for own, outcome in case.with_room():
            assert all(text in outcome.text for text in own)
            kinds["texts as long as planned"] += 1
    assert len(kinds) == 4, kinds
    assert min(kinds.values()) > 1, kinds


@pytest.mark.parametrize("part", range(4))
def test_the_prompts_of_servers_share_their_context_too(part):
    for number in range(25):
        random = Random(part * 1_000 + number)
        sent = shared(sent_prompts(config_of(random), random))
        window = random.choice(WINDOWS)
        fitter = request_fitter(window)
        contexts = set()
        for row in sent:
            if outcome := fit(fitter, row):
                assert outcome.tokens == estimate_tokens(outcome.text) <= window - row.reply_tokens
                contexts.add(context_in(outcome.text, row))
        assert len(contexts) <= 1
