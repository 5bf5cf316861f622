"""The server of tools for other programs: the Model Context Protocol, and its transport over stdio.

This module imports the package `mcp`, which takes seconds, so it is imported when its command runs.
"""

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

from anyio import CapacityLimiter, create_task_group
from anyio.to_thread import run_sync
from langchain_core.retrievers import BaseRetriever
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel

from graph.config import parse_model
from graph.support.arguments import PACKAGE, package_version
from graph.support.environment import failure_of, is_environment
from graph.support.errors import ConfigError, OpenCoderError, QuestionError
from graph.support.fault_log import describe_fault
from graph.support.logger import log
from graph.support.text import one_line, plural
from nodes.retrieve import as_passage
from serving.http_guard import Receive
from serving.http_server import until_gone
from serving.question_queue import Answered, Failed, QuestionQueue, Queued, StepStarted
from serving.tool_values import (
    NOT_TRUSTED,
    AskArguments,
    AskResult,
    SearchArguments,
    SearchResult,
    ask_result,
    ask_text,
    search_result,
    search_text,
)

_INSTRUCTIONS = (
    "Answers to programming questions from a local copy of Stack Overflow posts. "
    "Search before you guess how a library behaves or what an error message means."
)
_NAME_CHARS = 60
_ERROR_CHARS = 1000

Progress = Callable[[int, str], Awaitable[None]]
"""Reports a number of finished steps and the name of the newest one to the client, if it asked for that."""


class ToolOutput(NamedTuple):
    """The result of a call: for programs, and the same as text for models."""

    value: BaseModel
    text: str


class ServedTool(NamedTuple):
    """A tool: its description, its arguments and its function."""

    tool: Tool
    arguments: type[BaseModel]
    call: Callable[[Any, Progress], Awaitable[ToolOutput]]


def search_tool(retriever: BaseRetriever) -> ServedTool:
    """Return the tool search_posts, which loads no language model.

    Args:
        retriever: Finds the posts, with `k` in a call.
    """
    # Posts are found in milliseconds; side by side, searches would only slow each other down.
    one_search = CapacityLimiter(1)

    def search(arguments: SearchArguments) -> SearchResult:
        documents = retriever.invoke(arguments.question, k=arguments.top_k)
        return search_result([as_passage(number, d) for number, d in enumerate(documents, 1)])

    async def call(arguments: SearchArguments, _: Progress) -> ToolOutput:
        result = await run_sync(partial(search, arguments), limiter=one_search)
        return ToolOutput(result, search_text(result))

    return ServedTool(
        Tool(
            name="search_posts",
            title="Search Stack Overflow posts",
            description="Search a local collection of Stack Overflow posts for those that answer a programming question. "
            "Works offline and in well under a second, and asks no language model. Returns each post's answer "
            "and question as Markdown, best first, with score, votes, address and licence: name the address "
            f"when you use a post. {NOT_TRUSTED}",
            input_schema=SearchArguments.model_json_schema(),
            output_schema=SearchResult.model_json_schema(),
            annotations=_read_only(is_local=True),
        ),
        SearchArguments,
        call,
    )


def ask_tool(queue: QuestionQueue, default: str, *, is_local: bool) -> ServedTool:
    """Return the tool ask. A call that the client cancels leaves the queue.

    Args:
        queue: Answers the questions.
        default: The name of the config that answers if the call names none.
        is_local: Whether the model runs in this process; a server or an API reads the question too.
    """

    async def call(arguments: AskArguments, report: Progress) -> ToolOutput:
        config = arguments.config or default
        async with queue.ask(arguments.question, config) as events:
            # The numbers of the reports must grow, and nobody knows how many there will be.
            number = 0
            async for event in events:
                match event:
                    case Answered():
                        result = ask_result(event, config)
                        return ToolOutput(result, ask_text(result))
                    case Failed():
                        raise QuestionError(event.message)
                    case Queued() | StepStarted():
                        number += 1
                        await report(number, _progress_line(event))
        raise QuestionError("the question has no answer")

    return ServedTool(
        Tool(
            name="ask",
            title="Ask OpenCoder",
            description="Answer a programming question with the language model of this server, which reads posts of Stack "
            "Overflow. Takes seconds to minutes and reports each step as progress. The answer of a small model can "
            "be wrong: if you can write the answer yourself, search_posts is faster and better. Returns the answer "
            f"as Markdown, and its sources with address and licence. {NOT_TRUSTED}",
            input_schema=AskArguments.model_json_schema(),
            output_schema=AskResult.model_json_schema(),
            annotations=_read_only(is_local=is_local),
        ),
        AskArguments,
        call,
    )


def _read_only(*, is_local: bool) -> ToolAnnotations:
    return ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=not is_local)


def _progress_line(event: Queued | StepStarted) -> str:
    if isinstance(event, StepStarted):
        return event.node
    if not event.position:
        return "waits for its turn"
    return f"waits behind {event.position} {plural(event.position, 'question')}"


def tool_server(tools: list[ServedTool]) -> Server:
    """Return a server of tools; the error of a call is one line, and ends nothing else."""
    by_name = {served.tool.name: served for served in tools}

    async def list_tools(
        _: ServerRequestContext, __: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=[served.tool for served in tools])

    async def call_tool(
        context: ServerRequestContext, params: CallToolRequestParams
    ) -> CallToolResult:
        async def report(steps: int, name: str) -> None:
            await context.session.report_progress(steps, message=name)

        async def call() -> CallToolResult:
            try:
                served = _named(by_name, params.name)
                arguments = _parsed(served, params.arguments or {})
                value, text = await served.call(arguments, report)
            except Exception as error:
                return _failed(_line(error))
            return CallToolResult(
                content=[TextContent(text=text)], structured_content=value.model_dump(mode="json")
            )

        # On HTTP, the request. Since 2026-07-28 the protocol ends a call with its connection; so do we with
        # older clients, as no event is stored that one could fetch later.
        if context.request is None:
            return await call()
        return await _unless_gone(call(), context.request.receive)

    return Server(
        PACKAGE,
        title="OpenCoder",
        version=package_version(),
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def serve_stdio(server: Server) -> None:
    """Serve the client at stdin and stdout until it closes stdin; other output goes to stderr."""
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


async def _unless_gone(
    call: Coroutine[Any, Any, CallToolResult], receive: Receive
) -> CallToolResult:
    """Return the result of a call; cancel it when its client closes the connection."""
    result = _failed("the client has closed its connection")

    async def cancel_call() -> None:
        await until_gone(receive)
        tasks.cancel_scope.cancel()

    async with create_task_group() as tasks:
        tasks.start_soon(cancel_call)
        result = await call
        tasks.cancel_scope.cancel()
    return result


def _failed(line: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=line)], is_error=True)


def _named(tools: dict[str, ServedTool], name: str) -> ServedTool:
    if name not in tools:
        raise ConfigError(
            f"there is no tool {one_line(name, _NAME_CHARS)!r}; known: {', '.join(tools)}"
        )
    return tools[name]


def _parsed(served: ServedTool, arguments: dict[str, Any]) -> BaseModel:
    """Check the arguments of a call.

    Raises:
        ConfigError: One is unknown, missing or wrong.
    """
    name, fields = served.tool.name, served.arguments.model_fields
    for unknown in sorted(arguments.keys() - fields):
        raise ConfigError(
            f"{name}: there is no argument {one_line(unknown, _NAME_CHARS)!r}; known: {', '.join(fields)}"
        )
    return parse_model(served.arguments, arguments, name)


def _line(error: Exception) -> str:
    """Return an error as one line; what is no error of the call itself is also logged."""
    if isinstance(error, OpenCoderError):
        return one_line(error, _ERROR_CHARS)
    line = str(failure_of(error)) if is_environment(error) else describe_fault(error)
    log.error("error: %s", line)
    return line
