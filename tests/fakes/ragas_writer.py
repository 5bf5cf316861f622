"""A model behind ragas that answers from a script, and an encoder of two directions."""

import json
from types import SimpleNamespace

import numpy as np

from tests.fakes.fake_models import reply


class ScriptedWriter:
    """Answers each question of ragas by the title of its schema; a token is a word."""

    def __init__(self, window: int = 100_000, **answers) -> None:
        self.answers = {name: list(values) for name, values in answers.items()}
        self.prompts: list[str] = []
        self.loaded = SimpleNamespace(
            window=window,
            encode=lambda text: text.split(),
            wrap=lambda text: f"user: {text}",
            protect=lambda text: text.replace("<|im_end|>", "< |im_end|>"),
        )

    def write(self, text, schema, max_new_tokens):
        self.prompts.append(text)
        answer = self.answers[schema["title"]].pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return reply(answer, new_tokens=max_new_tokens if answer.startswith("{") else 3)
        return reply(json.dumps(answer))


class TwoWayEncoder:
    """Questions that begin alike point the same way, others at a right angle."""

    def encode(self, texts):
        return np.array([[1.0, 0.0] if text.startswith("why") else [0.0, 1.0] for text in texts])


def passages(*texts):
    return [
        {
            "number": number,
            "question_id": str(number),
            "title": "t",
            "text": text,
            "answer_chars": len(text),
            "score": 1.0,
            "url": "",
            "licence": "",
        }
        for number, text in enumerate(texts, 1)
    ]
