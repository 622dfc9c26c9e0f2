"""Scenarios with the newest releases of SDKs, frameworks and instrumentations (requirements-all.txt)."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import programs
from opentelemetry import trace
from telemetry import KEY, OPENAI, main, scenario, setup

# -- OpenTelemetry's own -------------------------------------------------------------------------------------------------------


@scenario(
    "OpenTelemetry's genai-openai: chat, streams, embeddings, errors, responses",
    "openai",
    "opentelemetry-instrumentation-genai-openai",
)
def otel_genai_openai() -> None:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    programs.openai_calls()
    programs.responses_calls()


@scenario(
    "OpenTelemetry's genai-anthropic: messages, streams, cache, errors",
    "anthropic",
    "opentelemetry-instrumentation-genai-anthropic",
)
def otel_genai_anthropic() -> None:
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument(tracer_provider=setup())
    programs.anthropic_calls()


# -- OpenLLMetry ---------------------------------------------------------------------------------------------------------------


@scenario(
    "OpenLLMetry's openai: chat, streams, embeddings, errors, responses",
    "openai",
    "opentelemetry-instrumentation-openai",
)
def openllmetry_openai() -> None:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    programs.openai_calls()
    programs.responses_calls()


@scenario(
    "OpenLLMetry's anthropic: messages, streams, cache, errors",
    "anthropic",
    "opentelemetry-instrumentation-anthropic",
)
def openllmetry_anthropic() -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument(tracer_provider=setup())
    programs.anthropic_calls()


# -- OpenInference -------------------------------------------------------------------------------------------------------------


@scenario(
    "OpenInference's openai: chat, streams, embeddings, errors, responses",
    "openai",
    "openinference-instrumentation-openai",
)
def openinference_openai() -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    programs.openai_calls()
    programs.responses_calls()


@scenario(
    "OpenInference's anthropic: messages, streams, cache, errors",
    "anthropic",
    "openinference-instrumentation-anthropic",
)
def openinference_anthropic() -> None:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument(tracer_provider=setup())
    programs.anthropic_calls()


# -- twice instrumented --------------------------------------------------------------------------------------------------------


@scenario(
    "One OpenAI client instrumented by OpenLLMetry and OpenInference",
    "openai", "opentelemetry-instrumentation-openai", "openinference-instrumentation-openai",
)  # fmt: skip
def double_openai() -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor as OpenLLMetry

    provider = setup()
    OpenLLMetry().instrument(tracer_provider=provider)
    OpenInference().instrument(tracer_provider=provider)
    programs.openai_calls()
    programs.responses_calls()


@scenario(
    "One OpenAI client instrumented twice, content capture off: no response id on OpenInference's spans; equal calls in parallel",
    "openai", "opentelemetry-instrumentation-openai", "openinference-instrumentation-openai",
)  # fmt: skip
def double_openai_hidden() -> None:
    os.environ["TRACELOOP_TRACE_CONTENT"] = "false"
    from openinference.instrumentation import TraceConfig
    from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor as OpenLLMetry

    provider = setup()
    OpenLLMetry().instrument(tracer_provider=provider)
    OpenInference().instrument(
        tracer_provider=provider, config=TraceConfig(hide_inputs=True, hide_outputs=True)
    )
    programs.openai_calls()
    client = programs.openai()
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda _: client.chat.completions.create(model=programs.MINI, messages=programs.ask("EQUAL")),
                range(24),
            )
        )


@scenario(
    "The Anthropic SDK's own tracing beside OpenInference",
    "anthropic",
    "openinference-instrumentation-anthropic",
)
def double_anthropic() -> None:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument(tracer_provider=setup())
    with trace.get_tracer("app").start_as_current_span("nightly job"):
        programs.anthropic_calls()


@scenario(
    "OpenLLMetry and OpenTelemetry's genai-anthropic on one Anthropic client",
    "anthropic", "opentelemetry-instrumentation-anthropic", "opentelemetry-instrumentation-genai-anthropic",
)  # fmt: skip
def double_anthropic_genai() -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor as OpenLLMetry
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor as Official

    provider = setup()
    OpenLLMetry().instrument(tracer_provider=provider)
    Official().instrument(tracer_provider=provider)
    programs.anthropic_calls()


@scenario("The Anthropic SDK alone, with a tracer provider set", "anthropic")
def anthropic_sdk_alone() -> None:
    setup()
    programs.anthropic_calls()


# -- frameworks ----------------------------------------------------------------------------------------------------------------


@scenario(
    "Pydantic AI, OpenAI chat: agents with tools, nested agents, streams, shared usage",
    "pydantic-ai-slim",
    "openai",
)
async def pydantic_ai_openai() -> None:
    setup()
    await programs.pydantic_runs(programs.pydantic_openai())


@scenario("Pydantic AI with the Anthropic model: the SDK traces itself, too", "pydantic-ai-slim", "anthropic")
async def pydantic_ai_anthropic() -> None:
    setup()
    await programs.pydantic_runs(programs.pydantic_anthropic())


@scenario(
    "Pydantic AI and OpenInference's openai together",
    "pydantic-ai-slim",
    "openai",
    "openinference-instrumentation-openai",
)
async def pydantic_ai_and_openinference() -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    await programs.pydantic_runs(programs.pydantic_openai(programs.THINKING))


@scenario(
    "Pydantic AI and OpenLLMetry's openai together",
    "pydantic-ai-slim",
    "openai",
    "opentelemetry-instrumentation-openai",
)
async def pydantic_ai_and_openllmetry() -> None:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    await programs.pydantic_runs(programs.pydantic_openai())


@scenario(
    "LangChain and LangGraph, seen by OpenInference",
    "langchain",
    "langchain-openai",
    "langgraph",
    "openinference-instrumentation-langchain",
)
def langchain_openinference() -> None:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument(tracer_provider=setup())
    programs.langchain_runs(programs.langchain_openai(programs.THINKING))


@scenario(
    "LangChain and LangGraph, seen by OpenLLMetry",
    "langchain",
    "langchain-openai",
    "langgraph",
    "opentelemetry-instrumentation-langchain",
)
def langchain_openllmetry() -> None:
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    LangchainInstrumentor().instrument(tracer_provider=setup())
    programs.langchain_runs(programs.langchain_openai())


@scenario(
    "LangChain, seen by OpenTelemetry's genai-langchain",
    "langchain",
    "langchain-openai",
    "langgraph",
    "opentelemetry-instrumentation-genai-langchain",
)
def langchain_otel_genai() -> None:
    from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument(tracer_provider=setup())
    programs.langchain_runs(programs.langchain_openai())


@scenario(
    "LangChain with Anthropic, seen by OpenInference's langchain and by the Anthropic SDK itself",
    "langchain", "langchain-anthropic", "anthropic", "openinference-instrumentation-langchain",
)  # fmt: skip
def langchain_anthropic_openinference() -> None:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument(tracer_provider=setup())
    programs.langchain_runs(programs.langchain_anthropic())


@scenario(
    "LangChain, seen by OpenLLMetry's langchain, the client by OpenLLMetry's openai",
    "langchain", "langchain-openai", "openai", "opentelemetry-instrumentation-langchain", "opentelemetry-instrumentation-openai",
)  # fmt: skip
def langchain_and_openllmetry_openai() -> None:
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    provider = setup()
    LangchainInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    programs.langchain_runs(programs.langchain_openai())


@scenario(
    "OpenAI Agents SDK (responses API), seen by OpenInference: agents as tools, handoff, stream",
    "openai-agents",
    "openai",
    "openinference-instrumentation-openai-agents",
)
async def openai_agents_openinference() -> None:
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    OpenAIAgentsInstrumentor().instrument(tracer_provider=setup())
    await programs.agents_runs(chat=False)


@scenario(
    "OpenAI Agents SDK (responses API), seen by OpenTelemetry's genai-openai-agents",
    "openai-agents",
    "openai",
    "opentelemetry-instrumentation-genai-openai-agents",
)
async def openai_agents_otel_genai() -> None:
    from opentelemetry.instrumentation.genai.openai_agents import OpenAIAgentsInstrumentor

    OpenAIAgentsInstrumentor().instrument(tracer_provider=setup())
    await programs.agents_runs(chat=False)


@scenario(
    "OpenAI Agents SDK, agents by genai-openai-agents, its client by genai-openai (responses API)",
    "openai-agents", "openai", "opentelemetry-instrumentation-genai-openai-agents", "opentelemetry-instrumentation-genai-openai",
)  # fmt: skip
async def openai_agents_and_genai_openai() -> None:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
    from opentelemetry.instrumentation.genai.openai_agents import OpenAIAgentsInstrumentor

    provider = setup()
    OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    await programs.agents_runs(chat=False)


@scenario(
    "OpenAI Agents SDK (responses API), seen by OpenInference's openai-agents and OpenLLMetry's openai",
    "openai-agents", "openai", "openinference-instrumentation-openai-agents", "opentelemetry-instrumentation-openai",
)  # fmt: skip
async def openai_agents_and_openllmetry_openai() -> None:
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    provider = setup()
    OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    await programs.agents_runs(chat=False)


@scenario(
    "LangChain by genai-langchain, its client by genai-openai",
    "langchain", "langchain-openai", "openai", "opentelemetry-instrumentation-genai-langchain",
    "opentelemetry-instrumentation-genai-openai",
)  # fmt: skip
def langchain_and_genai_openai() -> None:
    from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    provider = setup()
    LangChainInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    programs.langchain_runs(programs.langchain_openai(programs.THINKING))


@scenario(
    "LangChain with Anthropic: OpenLLMetry's langchain and anthropic, and the SDK itself",
    "langchain", "langchain-anthropic", "anthropic", "opentelemetry-instrumentation-langchain", "opentelemetry-instrumentation-anthropic",
)  # fmt: skip
def langchain_anthropic_three_ways() -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    provider = setup()
    LangchainInstrumentor().instrument(tracer_provider=provider)
    AnthropicInstrumentor().instrument(tracer_provider=provider)
    programs.langchain_runs(programs.langchain_anthropic())


@scenario(
    "OpenLLMetry and OpenTelemetry's genai-openai on one async client: equal calls at once, and a tool and a retrieval span of the app",
    "openai", "opentelemetry-instrumentation-openai", "opentelemetry-instrumentation-genai-openai",
)  # fmt: skip
async def double_openai_async() -> None:
    from openai import AsyncOpenAI
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor as Official
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor as OpenLLMetry

    provider = setup()
    OpenLLMetry().instrument(tracer_provider=provider)
    Official().instrument(tracer_provider=provider)
    tracer = trace.get_tracer("app")
    client = AsyncOpenAI(api_key=KEY, base_url=OPENAI)

    async def create(text: str) -> None:
        await client.chat.completions.create(model=programs.MINI, messages=programs.ask(text))

    with tracer.start_as_current_span("answer", attributes={"session.id": "s1", "user.id": "ada"}):
        with tracer.start_as_current_span("search", attributes={"openinference.span.kind": "RETRIEVER"}):
            await client.embeddings.create(model="text-embedding-3-small", input="query")
        with tracer.start_as_current_span(
            "execute_tool lookup",
            attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"},
        ):
            await asyncio.sleep(0.001)
        await asyncio.gather(*(create("EQUAL") for _ in range(20)))
        await asyncio.gather(*(create(f"different {n}") for n in range(5)))


@scenario(
    "Streams that break off, and one whose reader stops early, seen by OpenInference",
    "openai",
    "anthropic",
    "openinference-instrumentation-openai",
    "openinference-instrumentation-anthropic",
)
def broken_streams() -> None:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    provider = setup()
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    AnthropicInstrumentor().instrument(tracer_provider=provider)
    programs.broken_stream_calls()


@scenario(
    "LangChain seen by OpenInference and OpenLLMetry, its client by genai-openai; OpenInference's content hidden",
    "langchain",
    "langchain-openai",
    "openai",
    "openinference-instrumentation-langchain",
    "opentelemetry-instrumentation-langchain",
    "opentelemetry-instrumentation-genai-openai",
)
def langchain_three_watchers() -> None:
    from openinference.instrumentation import TraceConfig
    from openinference.instrumentation.langchain import LangChainInstrumentor as OpenInference
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor as OpenLLMetry

    provider = setup()
    OpenInference().instrument(
        tracer_provider=provider, config=TraceConfig(hide_inputs=True, hide_outputs=True)
    )
    OpenLLMetry().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    programs.langchain_runs(programs.langchain_openai(programs.THINKING))


@scenario(
    "Pydantic AI with the Anthropic model, seen by itself, the SDK, OpenInference (content hidden) and OpenLLMetry",
    "pydantic-ai-slim",
    "anthropic",
    "openinference-instrumentation-anthropic",
    "opentelemetry-instrumentation-anthropic",
)
async def pydantic_ai_anthropic_four_ways() -> None:
    from openinference.instrumentation import TraceConfig
    from openinference.instrumentation.anthropic import AnthropicInstrumentor as OpenInference
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor as OpenLLMetry

    provider = setup()
    OpenLLMetry().instrument(tracer_provider=provider)
    OpenInference().instrument(
        tracer_provider=provider, config=TraceConfig(hide_inputs=True, hide_outputs=True)
    )
    await programs.pydantic_runs(programs.pydantic_anthropic())


if __name__ == "__main__":
    main()
