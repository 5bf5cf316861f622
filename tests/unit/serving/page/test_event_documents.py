"""The documents of the events of a question: what is rendered beside the other questions."""

import asyncio

from graph.config import load_config
from serving.page import event_documents
from serving.page.event_documents import documents
from serving.question_queue import Answered, Chunk, Failed, Queued, Started, StepEnded, StepStarted

EVENTS = (
    Queued(0),
    Started(),
    StepStarted("generate"),
    *[Chunk("generate", 0, "word ")] * 3,
    StepEnded({"node": "generate", "answer": "*an* answer"}),
    Answered("*an* answer", [], False, 0.5),
    Failed("no answer", None),
)


def test_only_what_is_rendered_waits_for_a_thread(monkeypatch):
    rendered = []

    async def render(function, event):
        rendered.append(type(event))
        return function(event)

    async def collect():
        async def events():
            for event in EVENTS:
                yield event

        return [document async for document in documents(events(), load_config("semantic"))]

    monkeypatch.setattr(event_documents, "to_thread", render)
    kinds = [document["type"] for document in asyncio.run(collect())]
    assert kinds == [
        *("queued", "started", "step_started", "chunk", "chunk", "chunk"),
        *("step", "answered", "failed"),
    ]
    assert rendered == [StepEnded, Answered]
