"""A provider of chat models as `init_chat_model` opens them: its model records settings and prompts."""

from typing import ClassVar

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from tests.fakes.model_servers import options_of


class FakeProviderChat(BaseChatModel):
    model: str
    temperature: float | None = None
    num_predict: int | None = None
    stop: list[str] | None = None
    seed: int | None = None
    request_timeout: float | None = Field(default=None, alias="timeout")
    max_retries: int = 2

    calls: ClassVar[list[dict]] = []

    @property
    def _llm_type(self):
        return "fake-provider"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        prompt = messages[-1].content
        self.calls.append({"prompt": prompt, **self.model_dump(include={*type(self).model_fields})})
        options = options_of(prompt)
        message = AIMessage(
            options[-1] if options else f"because of {self.seed}",
            usage_metadata={"input_tokens": 11, "output_tokens": 2, "total_tokens": 13},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])
