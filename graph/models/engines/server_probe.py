"""The probe of a server before a run: which settings of a request it takes, and how it gives verdicts."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from langchain_core.outputs import Generation

from graph.models.engines import VerdictWay
from graph.models.engines.request_failures import PLAIN_QUESTION
from graph.models.engines.server_verdicts import (
    TOP_LOGPROBS,
    logprob_settings,
    logprobs_of,
    parse_constrained,
    schema_settings,
)
from graph.models.verdict import normalise, parse_choice
from graph.support.environment import status_code
from graph.support.logger import log
from graph.support.text import one_line
from nodes.model import TEXT_CHOICE_TOKENS
from prompts.choice_prompts import choice_instruction

_OPTIONS = ("A", "B")
PROBE = PLAIN_QUESTION + choice_instruction(_OPTIONS)
_LEAST_MASS = 0.1
"""The least probability of the options together. A model that is about to write something else, such
as a thought, gives them less: such verdicts would be noise."""
_REFUSED = {400, 422}
"""HTTP: a server that refuses a field of a request or its value answers one of these."""
_UNSUPPORTED = _REFUSED | {404, 405, 415, 500, 501}
"""HTTP: a server that does not know a field of a request answers one of these."""
_OMITTED: tuple[tuple[str, ...], ...] = ((), ("temperature",), ("seed",), ("temperature", "seed"))
"""Settings that a request can do without, in the order of the tries."""
_EFFECTS = {
    "temperature": "drafts are sampled by its default",
    "seed": "a rerun without the cache samples other drafts",
}


class Abilities(NamedTuple):
    """What a server takes and gives, as in `ServedModel`."""

    verdicts: VerdictWay
    refused: tuple[str, ...]
    top_logprobs: int


def probe(send: Callable[[int, Mapping[str, Any]], Generation]) -> Abilities:
    """Find out what a server takes and gives; a warning tells what it lacks.

    Args:
        send: Sends `PROBE` with a largest number of new tokens and further settings.

    Raises:
        Exception: The server refuses a plain request, or it failed.
    """
    requests = _Probe(send)
    verdicts, top_logprobs = requests.find_verdicts()
    for name in requests.refused:
        log.warning("the server refuses %s: %s", name, _EFFECTS[name])
    return Abilities(verdicts, requests.refused, top_logprobs)


class _Probe:
    """The requests of a probe."""

    def __init__(self, send: Callable[[int, Mapping[str, Any]], Generation]) -> None:
        self._send = send
        self._plain: Generation | None = None
        self.refused: tuple[str, ...] = ()

    def find_verdicts(self) -> tuple[VerdictWay, int]:
        """Return the first way of verdicts that works, and the number of log-probabilities."""
        if top_logprobs := self._top_logprobs():
            return "log-probabilities", top_logprobs
        reply = self._ask(TEXT_CHOICE_TOKENS, schema_settings(_OPTIONS))
        if reply and parse_constrained(reply.text, _OPTIONS) is not None:
            return "JSON schema", 0
        text = (self._plain or self._ask_plainly()).text
        if parse_choice(text, _OPTIONS) is None:
            log.warning(
                "asked to reply with A or B alone, the model writes %r in %d tokens: its verdicts will "
                "be unscored. If it thinks before it replies, turn that off on the server; else take "
                "another model, or a server with log-probabilities or JSON schemas",
                *(one_line(text, 60), TEXT_CHOICE_TOKENS),
            )
        return "text", 0

    def _top_logprobs(self) -> int:
        """Return the number of log-probabilities to ask for; 0 if they do not show the options."""
        for number in TOP_LOGPROBS:
            reply = self._ask(1, logprob_settings(number))
            if reply is not None:
                logprobs = logprobs_of(reply, _OPTIONS)
                is_usable = logprobs and normalise(_OPTIONS, logprobs).mass >= _LEAST_MASS
                return number if is_usable else 0
        return 0

    def _ask(self, new_tokens: int, settings: Mapping[str, Any]) -> Generation | None:
        """Return the reply to a request with more settings; None if the server does not know them.

        Raises:
            Exception: The server refuses a plain request too, or it failed.
        """
        try:
            return self._request(new_tokens, settings, self.refused)
        except Exception as error:
            if status_code(error) not in _UNSUPPORTED:
                raise
        refused = self.refused
        # A server that has crashed answers with the same codes.
        self._ask_plainly()
        return None if self.refused == refused else self._ask(new_tokens, settings)

    def _ask_plainly(self) -> Generation:
        """Return the reply to a plain request, and note which settings the server refuses.

        Raises:
            Exception: The server refuses the request also without them, or it failed.
        """
        *tries, last = (self.refused,) if self._plain else _OMITTED
        for omitted in tries:
            try:
                return self._ask_without(omitted)
            except Exception as error:
                if status_code(error) not in _REFUSED:
                    raise
        return self._ask_without(last)

    def _ask_without(self, omitted: tuple[str, ...]) -> Generation:
        self._plain = self._request(TEXT_CHOICE_TOKENS, {}, omitted)
        self.refused = omitted
        return self._plain

    def _request(
        self, new_tokens: int, settings: Mapping[str, Any], omitted: tuple[str, ...]
    ) -> Generation:
        plain = {"temperature": 0.0, "seed": 0}
        sent = {name: value for name, value in plain.items() if name not in omitted}
        return self._send(new_tokens, {**sent, **settings})
