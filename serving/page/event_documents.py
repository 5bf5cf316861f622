"""The events of a question as JSON documents, with what the page shows of them."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from typing import Any

from graph.html.answer_markdown import answer_html
from graph.schema import Config
from nodes.state import Passage, Step, calls_of
from serving.page.flow_picture import flow_picture
from serving.page.word_changes import word_changes
from serving.question_queue import (
    Answered,
    Chunk,
    Event,
    Failed,
    Queued,
    Started,
    StepEnded,
    StepStarted,
)

Document = dict[str, Any]


async def documents(events: AsyncIterator[Event], config: Config) -> AsyncIterator[Document]:
    """Yield a document for each event.

    A text of the documents is as the model or the author wrote it; a field whose name ends with `html` is
    rendered and safe.

    Args:
        events: The events of one question.
        config: Its config.
    """
    view = _View(config)
    async for event in events:
        if isinstance(event, StepEnded | Answered):
            # Long texts take time to render, in which other questions go on.
            yield await to_thread(view.document, event)
        else:
            yield view.document(event)


class _View:
    """What the page knows of a question so far."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._passages: list[Passage] = []
        self._answer = ""

    def document(self, event: Event) -> Document:
        match event:
            case Queued(position):
                return {"type": "queued", "position": position}
            case Started():
                return {"type": "started", "picture_html": flow_picture(self._config)}
            case StepStarted(node):
                return {"type": "step_started", "node": node}
            case Chunk(node, reply, text):
                return {"type": "chunk", "node": node, "reply": reply, "text": text}
            case StepEnded(step):
                return self._step(step)
            case Answered(answer=answer, withheld=withheld, seconds=seconds):
                return {
                    "type": "answered",
                    "answer": answer,
                    "answer_html": self._html(answer),
                    "withheld": withheld,
                    "seconds": seconds,
                }
            case Failed(message, node):
                return {"type": "failed", "message": message, "node": node}

    def _step(self, step: Step) -> Document:
        self._passages = step.get("passages", self._passages)
        document: Document = {
            "type": "step",
            "step": {**step, "passages": [_passage(p) for p in step.get("passages", [])]},
            "has_passages": "passages" in step,
            "candidates_html": [self._html(draft["text"]) for draft in step.get("candidates", [])],
            "cost": _cost(step),
            "changes": [],
        }
        if "answer" in step:
            # Only a text that a step wrote is a new version of the answer before it: a choice takes another text.
            is_version = "candidates" in step and "chosen" not in step
            if is_version and self._answer and step["answer"] != self._answer:
                document["changes"] = word_changes(self._answer, step["answer"])
            self._answer = step["answer"]
            document["answer_html"] = self._html(step["answer"])
        return document

    def _html(self, text: str) -> str:
        return answer_html(text, len(self._passages))


def _passage(passage: Passage) -> Document:
    return {**passage, "text_html": answer_html(passage["text"])}


def _cost(step: Step) -> Document:
    """Return the tokens and seconds of a step."""
    calls = calls_of(step)
    return {
        "seconds": step.get("seconds"),
        "calls": len(calls),
        "replies": len(step.get("replies", [])),
        "prompt_tokens": sum(call["prompt_tokens"] for call in calls),
        "cached_tokens": sum(call.get("cached_tokens", 0) for call in calls),
        "new_tokens": sum(reply["new_tokens"] for reply in step.get("replies", [])),
        "cut_tokens": sum(call["cut_tokens"] for call in calls),
        "is_estimate": any(call["tokens_estimated"] for call in calls),
        "is_cut_estimate": any(call.get("cut_tokens_estimated", False) for call in calls),
    }
