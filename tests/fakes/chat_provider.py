"""A provider of chat models as `init_chat_model` opens them: its model records settings and prompts."""

from typing import ClassVar

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field, model_validator

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
        fields = self.model_dump(include={*type(self).model_fields})
        self.calls.append({"prompt": prompt, "stop_argument": stop, **fields})
        options = options_of(prompt)
        message = AIMessage(
            options[-1] if options else f"because of {self.seed}",
            usage_metadata={"input_tokens": 11, "output_tokens": 2, "total_tokens": 13},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


class FakeDroppingChat(FakeProviderChat):
    """A class that drops a temperature, as ChatOpenAI does for gpt-5."""

    @model_validator(mode="before")
    @classmethod
    def _drop_temperature(cls, values):
        return {name: value for name, value in values.items() if name != "temperature"}


class FakeSettingChat(FakeProviderChat):
    """A class that sets the temperature if none is given, as ChatOpenAI does for o1."""

    @model_validator(mode="before")
    @classmethod
    def _set_temperature(cls, values):
        return {"temperature": 1.0, **values}


class FakeForbiddingChat(FakeProviderChat):
    """A class that takes no temperature but 1."""

    @model_validator(mode="before")
    @classmethod
    def _check_temperature(cls, values):
        if values.get("temperature", 1.0) != 1.0:
            raise ValueError("temperature is fixed")
        return values


class RefusedError(Exception):
    status_code = 400


class FakeRefusingChat(FakeProviderChat):
    """A class whose provider refuses a temperature, as OpenAI does for o3-mini."""

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        if self.temperature is not None:
            raise RefusedError("Unsupported parameter: 'temperature' is not supported")
        return super()._generate(messages, stop, run_manager, **kwargs)


class FakeLocalChat(BaseChatModel):
    """A class with the fields of ChatOllama."""

    model: str
    temperature: float | None = None
    num_ctx: int | None = None
    num_predict: int | None = None
    seed: int | None = None
    stop: list[str] | None = None
    client_kwargs: dict | None = None

    calls: ClassVar[list[dict]] = FakeProviderChat.calls
    _llm_type = FakeProviderChat._llm_type
    _generate = FakeProviderChat._generate


class FakeBareChat(BaseChatModel):
    """A class with hardly a field."""

    model: str
    seed: int | None = None

    calls: ClassVar[list[dict]] = FakeProviderChat.calls
    _llm_type = FakeProviderChat._llm_type
    _generate = FakeProviderChat._generate
