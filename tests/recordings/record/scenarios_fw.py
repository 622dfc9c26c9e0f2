"""Scenarios of more agent frameworks, and gateways as libraries (requirements-fw.txt)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import Any

import programs
from telemetry import BASE, KEY, OPENAI, main, scenario, setup


def _litellm_calls() -> None:
    import litellm

    def complete(text: str, model: str = f"openai/{programs.MINI}", **more: Any) -> Any:
        base = BASE if model.startswith("anthropic") else OPENAI
        return litellm.completion(
            model=model, messages=programs.ask(text), api_base=base, api_key=KEY, **more
        )

    complete("hello")
    complete("hello", model=f"anthropic/{programs.CLAUDE}")
    complete("think", model=f"openai/{programs.THINKING}")
    for _ in complete("stream", stream=True, stream_options={"include_usage": True}):
        pass
    for _ in complete("stream", model=f"anthropic/{programs.CLAUDE}", stream=True):
        pass
    complete("FAIL500", num_retries=2)
    with contextlib.suppress(Exception):
        complete("BAD400")

    async def later() -> None:
        messages = programs.ask("async")
        await litellm.acompletion(
            model=f"openai/{programs.MINI}", messages=messages, api_base=OPENAI, api_key=KEY
        )
        await asyncio.sleep(1)  # callbacks run in the loop

    asyncio.run(later())
    litellm.embedding(model="openai/text-embedding-3-small", input=["one"], api_base=OPENAI, api_key=KEY)


@scenario(
    "LiteLLM as a library, seen by OpenInference",
    "litellm",
    "openai",
    "openinference-instrumentation-litellm",
)
def litellm_openinference() -> None:
    from openinference.instrumentation.litellm import LiteLLMInstrumentor

    LiteLLMInstrumentor().instrument(tracer_provider=setup())
    _litellm_calls()


@scenario("LiteLLM's own OpenTelemetry callback", "litellm", "openai")
def litellm_otel() -> None:
    import litellm
    from litellm.integrations.opentelemetry import OpenTelemetry

    provider = setup()
    litellm.callbacks = [OpenTelemetry(tracer_provider=provider)]
    _litellm_calls()
    time.sleep(1)  # callbacks run in a thread of LiteLLM's


@scenario(
    "LiteLLM by OpenInference, the OpenAI client below it by OpenLLMetry",
    "litellm", "openai", "openinference-instrumentation-litellm", "opentelemetry-instrumentation-openai",
)  # fmt: skip
def litellm_and_openllmetry_openai() -> None:
    from openinference.instrumentation.litellm import LiteLLMInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    provider = setup()
    LiteLLMInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    _litellm_calls()


def _smolagents_runs() -> None:
    from smolagents import OpenAIServerModel, ToolCallingAgent, tool

    @tool
    def get_weather(city: str) -> str:
        """The weather.

        Args:
            city: where
        """
        return "sunny"

    model = OpenAIServerModel(model_id=programs.MINI, api_base=OPENAI, api_key=KEY)
    helper = ToolCallingAgent(
        tools=[get_weather], model=model, name="helper", description="helps", verbosity_level=0, max_steps=6
    )
    helper.run("weather ROUNDS=2")
    outer = ToolCallingAgent(
        tools=[], model=model, managed_agents=[helper], name="outer", verbosity_level=0, max_steps=6
    )
    outer.run("delegate")
    with contextlib.suppress(Exception):
        helper.run("BAD400")


@scenario(
    "smolagents, seen by OpenInference: tool calls, a managed agent",
    "smolagents",
    "openai",
    "openinference-instrumentation-smolagents",
)
def smolagents_openinference() -> None:
    from openinference.instrumentation.smolagents import SmolagentsInstrumentor

    SmolagentsInstrumentor().instrument(tracer_provider=setup())
    _smolagents_runs()


@scenario(
    "smolagents by OpenInference, the client by OpenInference's openai as well",
    "smolagents", "openai", "openinference-instrumentation-smolagents", "openinference-instrumentation-openai",
)  # fmt: skip
def smolagents_and_openinference_openai() -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor
    from openinference.instrumentation.smolagents import SmolagentsInstrumentor

    provider = setup()
    SmolagentsInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    _smolagents_runs()


def _agno_runs() -> None:
    from agno.agent import Agent
    from agno.models.openai import OpenAIChat
    from agno.team import Team

    def get_weather(city: str) -> str:
        """The weather."""
        return "sunny"

    def model(name: str = programs.MINI) -> Any:
        return OpenAIChat(id=name, api_key=KEY, base_url=OPENAI)

    helper = Agent(name="helper", model=model(programs.THINKING), tools=[get_weather], telemetry=False)
    helper.run("weather ROUNDS=2")
    for _ in helper.run("stream", stream=True):
        pass
    team = Team(name="team", members=[helper], model=model(), telemetry=False)
    team.run("delegate")
    with contextlib.suppress(Exception):
        helper.run("BAD400")


@scenario(
    "Agno, seen by OpenInference: agent, stream, team", "agno", "openai", "openinference-instrumentation-agno"
)
def agno_openinference() -> None:
    from openinference.instrumentation.agno import AgnoInstrumentor

    AgnoInstrumentor().instrument(tracer_provider=setup())
    _agno_runs()


@scenario(
    "Agno by OpenInference, the client by OpenLLMetry",
    "agno", "openai", "openinference-instrumentation-agno", "opentelemetry-instrumentation-openai",
)  # fmt: skip
def agno_and_openllmetry_openai() -> None:
    from openinference.instrumentation.agno import AgnoInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    provider = setup()
    AgnoInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    _agno_runs()


def _strands_runs(model: Any) -> None:
    from strands import Agent, tool

    @tool
    def get_weather(city: str) -> str:
        """The weather."""
        return "sunny"

    helper = Agent(model=model, tools=[get_weather], name="helper", callback_handler=None)
    helper("weather ROUNDS=2")

    @tool
    def ask_helper(question: str) -> str:
        """Ask the helper."""
        inner = Agent(model=model, tools=[get_weather], name="inner", callback_handler=None)
        return str(inner(question))

    Agent(model=model, tools=[ask_helper], name="outer", callback_handler=None)("delegate")
    with contextlib.suppress(Exception):
        Agent(model=model, callback_handler=None)("BAD400")


@scenario("Strands Agents' own tracing, OpenAI model", "strands-agents", "openai")
def strands_openai() -> None:
    from strands.models.openai import OpenAIModel

    setup()
    _strands_runs(OpenAIModel(client_args={"api_key": KEY, "base_url": OPENAI}, model_id=programs.MINI))


@scenario("Strands Agents' own tracing, Anthropic model", "strands-agents", "anthropic")
def strands_anthropic() -> None:
    from strands.models.anthropic import AnthropicModel

    setup()
    model = AnthropicModel(
        client_args={"api_key": KEY, "base_url": BASE}, model_id=programs.CLAUDE, max_tokens=100
    )
    _strands_runs(model)


@scenario(
    "Strands Agents' own tracing, the client by OpenInference",
    "strands-agents", "openai", "openinference-instrumentation-openai",
)  # fmt: skip
def strands_and_openinference_openai() -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor
    from strands.models.openai import OpenAIModel

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    _strands_runs(OpenAIModel(client_args={"api_key": KEY, "base_url": OPENAI}, model_id=programs.THINKING))


def _llama_index_runs() -> None:
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.core.llms import ChatMessage
    from llama_index.embeddings.openai import OpenAIEmbedding
    from llama_index.llms.openai import OpenAI

    llm = OpenAI(model=programs.MINI, api_key=KEY, api_base=OPENAI, max_retries=2)
    embedder = OpenAIEmbedding(model="text-embedding-3-small", api_key=KEY, api_base=OPENAI)
    llm.chat([ChatMessage(role="user", content="hello")])
    for _ in llm.stream_chat([ChatMessage(role="user", content="stream")]):
        pass
    index = VectorStoreIndex.from_documents(
        [Document(text="one"), Document(text="two")], embed_model=embedder
    )
    index.as_query_engine(llm=llm).query("question")

    def get_weather(city: str) -> str:
        """The weather."""
        return "sunny"

    async def agent() -> None:
        await FunctionAgent(tools=[get_weather], llm=llm, streaming=False).run("weather")

    asyncio.run(agent())
    with contextlib.suppress(Exception):
        llm.chat([ChatMessage(role="user", content="BAD400")])


@scenario(
    "LlamaIndex, seen by OpenInference: chat, stream, retrieval, agent",
    "llama-index-core",
    "llama-index-llms-openai",
    "openai",
    "openinference-instrumentation-llama-index",
)
def llama_index_openinference() -> None:
    from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

    LlamaIndexInstrumentor().instrument(tracer_provider=setup())
    _llama_index_runs()


@scenario(
    "LlamaIndex by OpenLLMetry, the client by OpenLLMetry's openai",
    "llama-index-core", "openai", "opentelemetry-instrumentation-llamaindex", "opentelemetry-instrumentation-openai",
)  # fmt: skip
def llama_index_and_openllmetry() -> None:
    from opentelemetry.instrumentation.llamaindex import LlamaIndexInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    provider = setup()
    LlamaIndexInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    _llama_index_runs()


@scenario("Google's Agent Development Kit 1: its own tracing", "google-adk", "google-genai")
async def google_adk1() -> None:
    setup()
    await programs.adk_runs()


@scenario("OpenLIT: OpenAI and Anthropic clients", "openlit", "openai", "anthropic")
def openlit_clients() -> None:
    import openlit

    setup()
    openlit.init(service_name=os.environ["SCENARIO"], disable_metrics=True, disable_events=True)
    programs.openai_calls()
    programs.anthropic_calls()


@scenario(
    "Langfuse's SDK: the OpenAI client wrapped, generations inside observed functions", "langfuse", "openai"
)
def langfuse_openai() -> None:
    os.environ |= {
        "LANGFUSE_PUBLIC_KEY": "pk-example",
        "LANGFUSE_SECRET_KEY": "sk-example",
        "LANGFUSE_HOST": BASE,
    }
    from langfuse import Langfuse, observe

    Langfuse(tracer_provider=setup())
    from langfuse.openai import OpenAI

    client: Any = OpenAI(api_key=KEY, base_url=OPENAI)

    @observe()
    def answer() -> None:
        client.chat.completions.create(model=programs.MINI, messages=programs.ask("hello"))
        client.chat.completions.create(model=programs.THINKING, messages=programs.ask("think"))
        for _ in client.chat.completions.create(
            model=programs.MINI,
            messages=programs.ask("stream"),
            stream=True,
            stream_options={"include_usage": True},
        ):
            pass

    answer()
    client.responses.create(model=programs.THINKING, input="hello")
    with contextlib.suppress(Exception):
        client.chat.completions.create(model=programs.MINI, messages=programs.ask("BAD400"))


@scenario(
    "Google's GenAI SDK, seen by OpenTelemetry's google-genai: thinking, cache, tools, streams",
    "google-genai",
    "opentelemetry-instrumentation-google-genai",
)
def otel_google_genai() -> None:
    from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

    GoogleGenAiSdkInstrumentor().instrument(tracer_provider=setup())
    programs.google_calls()


@scenario(
    "Google's GenAI SDK, seen by OpenInference", "google-genai", "openinference-instrumentation-google-genai"
)
def openinference_google_genai() -> None:
    from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor

    GoogleGenAIInstrumentor().instrument(tracer_provider=setup())
    programs.google_calls()


@scenario(
    "Google's GenAI SDK instrumented by OpenTelemetry and OpenInference",
    "google-genai", "opentelemetry-instrumentation-google-genai", "openinference-instrumentation-google-genai",
)  # fmt: skip
def double_google_genai() -> None:
    from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor
    from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

    provider = setup()
    GoogleGenAiSdkInstrumentor().instrument(tracer_provider=provider)
    GoogleGenAIInstrumentor().instrument(tracer_provider=provider)
    programs.google_calls()


if __name__ == "__main__":
    main()
