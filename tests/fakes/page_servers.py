"""The ask page on loopback, in this process, over a model that takes a little time for each call."""

import asyncio
import json
import socket
import urllib.error
import urllib.request
from functools import partial
from threading import Thread

from graph.config import load_config
from serving.http_guard import Admission
from serving.page.application import PageSettings, page_server
from serving.question_queue import Limits, QuestionQueue
from tests.fakes.fake_models import FakeRetriever, documents, section, step_of
from tests.fakes.paced_engine import PacedEngine, paced_graph
from tests.fakes.waiting import FAR, wait_until

CONFIGS = ("baseline", "extract", "semantic", "semantic_cot", "semantic_cot_rerank_refined")
DRAFT = """Sort the items by their *value* [2]:

```python
def by_value(counts):
    return dict(sorted(counts.items(), key=lambda item: item[1]))  # smallest first
```

See also [the manual](https://docs.example/sorted)."""
REFINED = DRAFT.replace("smallest", "largest").replace("item[1]", "-item[1]")
REPLIES = {
    "reason": "A dict keeps the order of insertion.\nSo a sorted dict is a new one.",
    "critique": "1. The question asks for the largest value first.\n2. The code has no example.",
    "refine": REFINED,
}
FAILING = "this question fails"


def answers(prompt: str) -> str:
    """Return a reply that fits the step; the draft of a question without passages repeats it."""
    if FAILING in prompt:
        raise ValueError("the model <b>fails</b> here")
    step = step_of(prompt)
    if step == "answer alone":
        return f"echo of {section(prompt, 'question')}"
    return REPLIES.get(step, DRAFT)


class PageServer:
    """A running server; `queue` is its queue and `engine` its model."""

    def __init__(self, answer=answers, seconds=0.3, retriever=None, token=None, names=(), **limits):
        self.engine = PacedEngine(answer, seconds)
        texts = ["Use `sorted`.", "Sort by the value:\n\n```python\nsorted(d.items())\n```", "No."]
        graph = partial(
            *(paced_graph, self.engine),
            retriever=retriever or FakeRetriever(documents=documents(*texts)),
        )
        self.queue = QuestionQueue(graph, CONFIGS, Limits(**limits))
        settings = PageSettings(
            configs={name: load_config(name) for name in CONFIGS},
            default_config="semantic",
            profile="fake",
            model="paced",
            corpus="posts.csv",
            is_embedded=True,
        )
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._server = page_server(self.queue, settings, Admission("127.0.0.1", names, token))
        # Signals belong to the main thread.
        self._thread = Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._listener])

    def __enter__(self) -> "PageServer":
        self._thread.start()
        wait_until(lambda: self._server.started)
        return self

    def end(self) -> None:
        """End the server, as a signal does."""
        self._server.should_exit = True

    def __exit__(self, *_) -> None:
        self.end()
        self._thread.join(FAR)

    def request(self, path="ask", body=None, **headers):
        """Return the status and the text of the reply to a request; the body is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if data is not None else {}
        request = urllib.request.Request(self.url + path, data, {**kind, **headers})
        try:
            with urllib.request.urlopen(request, timeout=FAR) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ask(self, question, config="baseline", **headers):
        """Return the documents of a question."""
        status, text = self.request(body={"question": question, "config": config}, **headers)
        assert status == 200, text
        return [
            json.loads(block.removeprefix("data: "))
            for block in text.split("\n\n")
            if block.startswith("data: ")
        ]
