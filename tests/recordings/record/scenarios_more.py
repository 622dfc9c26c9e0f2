"""Scenarios of Amazon Bedrock, Traceloop's own SDK, and more agent frameworks (requirements-more.txt)."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import programs
from telemetry import BASE, KEY, OPENAI, main, processor, scenario, setup

BEDROCK = "anthropic.claude-3-5-haiku-20241022-v1:0"


def _bedrock_calls() -> None:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=BASE,
        region_name="us-east-1",
        aws_access_key_id="example",
        aws_secret_access_key=KEY,
        config=Config(retries={"max_attempts": 2, "mode": "standard"}),
    )
    schema = programs.WEATHER["function"]["parameters"]  # type: ignore[index]
    tools = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": schema}}}]}
    for text in ("hello", "again", "weather", "FAIL500", "BAD400"):
        more: Any = {"toolConfig": tools} if text == "weather" else {}
        with contextlib.suppress(Exception):
            client.converse(modelId=BEDROCK, messages=[{"role": "user", "content": [{"text": text}]}], **more)


@scenario(
    "Amazon Bedrock converse, seen by OpenTelemetry's botocore",
    "boto3",
    "opentelemetry-instrumentation-botocore",
)
def bedrock_otel() -> None:
    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

    BotocoreInstrumentor().instrument(tracer_provider=setup())
    _bedrock_calls()


@scenario("Amazon Bedrock converse, seen by OpenLLMetry", "boto3", "opentelemetry-instrumentation-bedrock")
def bedrock_openllmetry() -> None:
    from opentelemetry.instrumentation.bedrock import BedrockInstrumentor

    BedrockInstrumentor().instrument(tracer_provider=setup())
    _bedrock_calls()


@scenario("Amazon Bedrock converse, seen by OpenInference", "boto3", "openinference-instrumentation-bedrock")
def bedrock_openinference() -> None:
    from openinference.instrumentation.bedrock import BedrockInstrumentor

    BedrockInstrumentor().instrument(tracer_provider=setup())
    _bedrock_calls()


@scenario(
    "Amazon Bedrock converse, seen by OpenTelemetry's botocore and OpenInference",
    "boto3", "opentelemetry-instrumentation-botocore", "openinference-instrumentation-bedrock",
)  # fmt: skip
def double_bedrock() -> None:
    from openinference.instrumentation.bedrock import BedrockInstrumentor
    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

    provider = setup()
    BotocoreInstrumentor().instrument(tracer_provider=provider)
    BedrockInstrumentor().instrument(tracer_provider=provider)
    _bedrock_calls()


@scenario("Traceloop's SDK: workflows, tasks and tools around the OpenAI client", "traceloop-sdk", "openai")
def traceloop_sdk() -> None:
    from traceloop.sdk import Traceloop
    from traceloop.sdk.decorators import agent, task, tool, workflow

    Traceloop.init(app_name=os.environ["SCENARIO"], processor=processor(), telemetry_enabled=False)
    Traceloop.set_association_properties({"user_id": "ada", "session_id": "s1"})
    client = programs.openai()

    def ask(text: str, model: str = programs.MINI) -> str:
        answer = client.chat.completions.create(model=model, messages=programs.ask(text))
        return str(answer.choices[0].message.content)

    @tool(name="lookup")
    def lookup(text: str) -> str:
        return ask(text)

    @task(name="draft")
    def draft(text: str) -> str:
        return ask(text, programs.THINKING)

    @agent(name="writer")
    def writer() -> str:
        return ask(draft("draft") + lookup("look up"))

    @workflow(name="report")
    def report() -> None:
        writer()
        client.embeddings.create(model="text-embedding-3-small", input="one")
        with contextlib.suppress(Exception):
            ask("BAD400")

    report()


async def _agent_framework_runs() -> None:
    from agent_framework.openai import OpenAIChatClient, OpenAIChatCompletionClient

    def get_weather(city: str) -> str:
        """The weather."""
        return "sunny"

    for kind, name in ((OpenAIChatCompletionClient, programs.MINI), (OpenAIChatClient, programs.THINKING)):
        client: Any = kind(model=name, api_key=KEY, base_url=OPENAI)
        helper = client.as_agent(name="helper", instructions="ROUNDS=2", tools=[get_weather])
        await helper.run("weather")
        outer = client.as_agent(name="outer", tools=[helper.as_tool()])
        await outer.run("delegate")
        async for _ in helper.run("stream", stream=True):
            pass
        with contextlib.suppress(Exception):
            await helper.run("BAD400")


@scenario(
    "Microsoft Agent Framework's own tracing", "agent-framework-core", "agent-framework-openai", "openai"
)
async def agent_framework() -> None:
    from agent_framework import observability

    setup()
    observability.enable_instrumentation()
    await _agent_framework_runs()


@scenario(
    "Microsoft Agent Framework's own tracing, the client by OpenInference",
    "agent-framework-core", "agent-framework-openai", "openai", "openinference-instrumentation-openai",
)  # fmt: skip
async def agent_framework_and_openinference_openai() -> None:
    from agent_framework import observability
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    observability.enable_instrumentation()
    await _agent_framework_runs()


@scenario(
    "AutoGen's own tracing, the client by OpenInference",
    "autogen-agentchat",
    "openai",
    "openinference-instrumentation-openai",
)
async def autogen_and_openinference_openai() -> None:
    from autogen_agentchat.agents import AssistantAgent
    from autogen_ext.models.openai import OpenAIChatCompletionClient
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())

    async def get_weather(city: str) -> str:
        """The weather."""
        return "sunny"

    client = OpenAIChatCompletionClient(model=programs.MINI, api_key=KEY, base_url=OPENAI)
    agent = AssistantAgent("helper", model_client=client, tools=[get_weather], reflect_on_tool_use=True)
    await agent.run(task="weather")
    async for _ in agent.run_stream(task="stream"):
        pass
    with contextlib.suppress(Exception):
        await agent.run(task="BAD400")


def _crew_runs() -> None:
    from crewai import LLM, Agent, Crew, Task

    llm = LLM(model=programs.MINI, base_url=OPENAI, api_key=KEY)
    agent = Agent(role="helper", goal="help", backstory="none", llm=llm, verbose=False)
    task = Task(description="hello", expected_output="words", agent=agent)
    other = Task(description="again", expected_output="words", agent=agent)
    Crew(agents=[agent], tasks=[task, other], verbose=False).kickoff()


@scenario(
    "CrewAI by OpenInference, the client by OpenInference's openai",
    "crewai",
    "openai",
    "openinference-instrumentation-crewai",
    "openinference-instrumentation-openai",
)
def crewai_and_openinference_openai() -> None:
    os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false"}
    from openinference.instrumentation.crewai import CrewAIInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    provider = setup()
    CrewAIInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    _crew_runs()


@scenario(
    "Haystack pipelines, seen by OpenInference",
    "haystack-ai",
    "openai",
    "openinference-instrumentation-haystack",
)
def haystack_openinference() -> None:
    from haystack import Pipeline
    from haystack.components.embedders import OpenAITextEmbedder
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.dataclasses import ChatMessage
    from haystack.utils import Secret
    from openinference.instrumentation.haystack import HaystackInstrumentor

    HaystackInstrumentor().instrument(tracer_provider=setup())
    key = Secret.from_token(KEY)
    pipeline = Pipeline()
    pipeline.add_component(
        "llm", OpenAIChatGenerator(model=programs.THINKING, api_key=key, api_base_url=OPENAI)
    )
    pipeline.add_component(
        "embed", OpenAITextEmbedder(model="text-embedding-3-small", api_key=key, api_base_url=OPENAI)
    )
    for text in ("hello", "again", "BAD400"):
        with contextlib.suppress(Exception):
            pipeline.run({"llm": {"messages": [ChatMessage.from_user(text)]}, "embed": {"text": "one"}})


if __name__ == "__main__":
    main()
