"""What the recorded programs do: the same calls whatever watches them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

from telemetry import BASE, KEY, OPENAI, processor

MINI, THINKING, CLAUDE = "gpt-4o-mini", "gpt-5-mini", "claude-sonnet-4-5"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def openai() -> Any:
    from openai import OpenAI

    return OpenAI(api_key=KEY, base_url=OPENAI, max_retries=2)


def anthropic() -> Any:
    from anthropic import Anthropic

    return Anthropic(api_key=KEY, base_url=BASE, max_retries=2)


def openai_calls() -> None:
    """Plain, thinking, streamed with and without usage, embeddings, a retried error, a final error, the responses API."""
    client = openai()
    client.chat.completions.create(model=MINI, messages=ask("hello"))
    client.chat.completions.create(model=THINKING, messages=ask("think"))
    client.chat.completions.create(model=MINI, messages=ask("weather"), tools=[WEATHER])
    for _ in client.chat.completions.create(
        model=MINI, messages=ask("stream"), stream=True, stream_options={"include_usage": True}
    ):
        pass
    client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    client.chat.completions.create(model=MINI, messages=ask("FAIL429"))
    client.chat.completions.create(model=MINI, messages=ask("FAIL500"))
    with contextlib.suppress(Exception):
        client.chat.completions.create(model=MINI, messages=ask("BAD400"))


def responses_calls() -> None:
    client = openai()
    client.responses.create(model=THINKING, input="hello")
    for _ in client.responses.create(model=THINKING, input="stream", stream=True):
        pass
    tool = {"type": "function", "strict": True, **WEATHER["function"]}  # type: ignore[dict-item]
    client.responses.create(model=MINI, input="weather", tools=[tool])


def anthropic_calls() -> None:
    client = anthropic()

    def create(text: str, **more: Any) -> Any:
        return client.messages.create(model=CLAUDE, max_tokens=100, messages=ask(text), **more)

    create("hello")
    create("again")
    create("weather", tools=[{"name": "get_weather", "input_schema": WEATHER["function"]["parameters"]}])  # type: ignore[index]
    create("FAIL429")
    create("FAIL500")
    with contextlib.suppress(Exception):
        create("BAD400")
    for _ in create("stream", stream=True):
        pass
    with client.messages.stream(model=CLAUDE, max_tokens=100, messages=ask("stream helper")) as stream:
        for _ in stream:
            pass


def pydantic_agent(model: Any, **more: Any) -> Any:
    from pydantic_ai import Agent

    agent = Agent(model, name="helper", **more)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        return "sunny"

    return agent


def pydantic_openai(name: str = MINI) -> Any:
    from pydantic_ai.models import openai as models
    from pydantic_ai.providers.openai import OpenAIProvider

    # Release 0.x calls it OpenAIModel.
    kind: Any = getattr(models, "OpenAIChatModel", None) or models.OpenAIModel
    return kind(name, provider=OpenAIProvider(base_url=OPENAI, api_key=KEY))


async def pydantic_runs(model: Any) -> None:
    from pydantic_ai import Agent, usage

    Agent.instrument_all()
    agent = pydantic_agent(model)
    await agent.run("weather ROUNDS=2")
    async with agent.run_stream("stream weather") as stream:
        await stream.get_output()
    outer = Agent(model, name="outer")

    @outer.tool_plain
    async def ask_helper(question: str) -> str:
        return str((await agent.run(question)).output)

    await outer.run("delegate")
    await asyncio.gather(*(agent.run(f"parallel {n}") for n in range(3)))
    # Release 0.x calls it Usage. What runs share, each reports with what was before it.
    shared = (getattr(usage, "RunUsage", None) or usage.Usage)()
    await agent.run("with shared usage", usage=shared)
    await agent.run("with shared usage again", usage=shared)
    with contextlib.suppress(Exception):
        await agent.run("BAD400")


def langchain_runs(model: Any) -> None:
    from langchain.agents import create_agent
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.tools import tool

    @tool
    def get_weather(city: str) -> str:
        """The weather."""
        return "sunny"

    agent = create_agent(model, [get_weather], name="helper")

    @tool
    def ask_helper(question: str) -> str:
        """Ask the helper."""
        return str(agent.invoke({"messages": ask(question)})["messages"][-1].content)

    outer = create_agent(model, [ask_helper], name="outer")
    outer.invoke({"messages": ask("delegate ROUNDS=2")})
    chain = ChatPromptTemplate.from_messages([("user", "{text}")]) | model
    chain.invoke({"text": "FAIL429 chain"})
    for _ in chain.stream({"text": "stream"}):
        pass
    chain.batch([{"text": f"EQUAL {n}"} for n in range(6)])
    with contextlib.suppress(Exception):
        chain.invoke({"text": "BAD400"})


def langchain_openai(name: str = MINI) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=name, api_key=KEY, base_url=OPENAI, stream_usage=True)  # type: ignore[arg-type]


def langchain_anthropic() -> Any:
    from langchain_anthropic import ChatAnthropic

    return ChatAnthropic(model=CLAUDE, api_key=KEY, base_url=BASE, max_tokens=100)  # type: ignore[call-arg,arg-type]


async def agents_runs(*, chat: bool) -> None:
    from agents import (
        Agent,
        OpenAIChatCompletionsModel,
        OpenAIResponsesModel,
        Runner,
        function_tool,
        set_tracing_export_api_key,
    )
    from openai import AsyncOpenAI

    set_tracing_export_api_key(KEY)
    client = AsyncOpenAI(api_key=KEY, base_url=OPENAI)
    model: Any = (OpenAIChatCompletionsModel if chat else OpenAIResponsesModel)(
        MINI if chat else THINKING, openai_client=client
    )

    @function_tool
    def get_weather(city: str) -> str:
        """The weather."""
        return "sunny"

    helper: Any = Agent(name="helper", model=model, tools=[get_weather], instructions="ROUNDS=2")
    outer: Any = Agent(name="outer", model=model, tools=[helper.as_tool("ask_helper", "Ask the helper")])
    await Runner.run(outer, "delegate")
    stream = Runner.run_streamed(helper, "stream")
    async for _ in stream.stream_events():
        pass
    desk: Any = Agent(name="desk", model=model, handoffs=[helper])
    await Runner.run(desk, "hand over")
    with contextlib.suppress(Exception):
        await Runner.run(helper, "BAD400")


def pydantic_anthropic() -> Any:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = AsyncAnthropic(api_key=KEY, base_url=BASE)
    return AnthropicModel(CLAUDE, provider=AnthropicProvider(anthropic_client=client))


def logfire_setup() -> Any:
    """Logfire, sending nowhere; our processor sees its spans."""
    import logfire

    logfire.configure(
        send_to_logfire=False,
        console=False,
        service_name=os.environ["SCENARIO"],
        inspect_arguments=False,
        additional_span_processors=[processor()],
    )
    return logfire


def google_calls() -> None:
    from google import genai
    from google.genai import types

    options = types.HttpOptions(
        base_url=BASE, retry_options=types.HttpRetryOptions(attempts=2, initial_delay=0.01)
    )
    client = genai.Client(api_key=KEY, http_options=options)
    model = "gemini-2.5-flash"

    def get_weather(city: str) -> str:
        """The weather."""
        return "sunny"

    client.models.generate_content(model=model, contents="hello")
    client.models.generate_content(
        model=model, contents="weather ROUNDS=2", config=types.GenerateContentConfig(tools=[get_weather])
    )
    for _ in client.models.generate_content_stream(model=model, contents="stream"):
        pass
    client.models.generate_content(model=model, contents="FAIL500")
    with contextlib.suppress(Exception):
        client.models.generate_content(model=model, contents="BAD400")


def broken_stream_calls() -> None:
    client, other = openai(), anthropic()
    usage = {"include_usage": True}
    with contextlib.suppress(Exception):
        for _ in client.chat.completions.create(
            model=MINI, messages=ask("CUT"), stream=True, stream_options=usage
        ):
            pass
    stream = client.chat.completions.create(
        model=MINI, messages=ask("left early"), stream=True, stream_options=usage
    )
    next(iter(stream))
    stream.close()
    with contextlib.suppress(Exception):
        for _ in other.messages.create(model=CLAUDE, max_tokens=100, messages=ask("CUT"), stream=True):
            pass
    client.chat.completions.create(model=MINI, messages=ask("hello"))


async def adk_runs() -> None:
    from google.adk.agents import LlmAgent
    from google.adk.runners import InMemoryRunner
    from google.adk.tools.agent_tool import AgentTool
    from google.genai import types

    os.environ["GOOGLE_GEMINI_BASE_URL"] = BASE

    def get_weather(city: str) -> str:
        """The weather."""
        return "sunny"

    model = "gemini-2.5-flash"
    helper = LlmAgent(name="helper", model=model, instruction="ROUNDS=2", tools=[get_weather])
    outer = LlmAgent(name="outer", model=model, tools=[AgentTool(helper)])
    runner = InMemoryRunner(outer, app_name="example")
    for text in ("delegate", "BAD400"):
        session = await runner.session_service.create_session(app_name="example", user_id="ada")
        message = types.Content(role="user", parts=[types.Part(text=text)])
        with contextlib.suppress(Exception):
            async for _ in runner.run_async(user_id="ada", session_id=session.id, new_message=message):
                pass
