"""Scenarios with OpenTelemetry's openai-v2, which needs an older opentelemetry-util-genai (requirements-v2.txt)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import programs
from telemetry import main, scenario, setup


@scenario(
    "OpenTelemetry's openai-v2: chat, streams, tools, embeddings, errors and retries",
    "openai",
    "opentelemetry-instrumentation-openai-v2",
)
def otel_openai_v2() -> None:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    programs.openai_calls()


@scenario(
    "A stream that never says its usage (no include_usage), seen by openai-v2",
    "openai",
    "opentelemetry-instrumentation-openai-v2",
)
def stream_without_usage() -> None:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    client = programs.openai()
    for _ in client.chat.completions.create(
        model=programs.MINI, messages=programs.ask("silent stream"), stream=True
    ):
        pass
    client.chat.completions.create(model=programs.MINI, messages=programs.ask("hello"))


@scenario(
    "Sixty equal calls in parallel, instrumented once", "openai", "opentelemetry-instrumentation-openai-v2"
)
def equal_calls_parallel() -> None:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    client = programs.openai()
    with ThreadPoolExecutor(12) as pool:
        list(
            pool.map(
                lambda _: client.chat.completions.create(model=programs.MINI, messages=programs.ask("EQUAL")),
                range(60),
            )
        )


@scenario(
    "LangChain, seen by OpenInference's langchain, the client by openai-v2",
    "langchain", "langchain-openai", "openai", "openinference-instrumentation-langchain", "opentelemetry-instrumentation-openai-v2",
)  # fmt: skip
def langchain_and_openai_v2() -> None:
    from openinference.instrumentation.langchain import LangChainInstrumentor
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    provider = setup()
    LangChainInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    programs.langchain_runs(programs.langchain_openai(programs.THINKING))


@scenario(
    "OpenAI Agents SDK (chat completions), seen by OpenInference, the client by openai-v2",
    "openai-agents", "openai", "openinference-instrumentation-openai-agents", "opentelemetry-instrumentation-openai-v2",
)  # fmt: skip
async def openai_agents_and_openai_v2() -> None:
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    provider = setup()
    OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    await programs.agents_runs(chat=True)


@scenario(
    "Pydantic AI 1.x, OpenAI chat, the client by openai-v2 as well",
    "pydantic-ai-slim",
    "openai",
    "opentelemetry-instrumentation-openai-v2",
)
async def pydantic_ai1_and_openai_v2() -> None:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    await programs.pydantic_runs(programs.pydantic_openai(programs.THINKING))


@scenario(
    "Pydantic AI 1.x alone: agents with tools, nested agents, streams, shared usage",
    "pydantic-ai-slim",
    "openai",
)
async def pydantic_ai1_openai() -> None:
    setup()
    await programs.pydantic_runs(programs.pydantic_openai())


@scenario(
    "Pydantic AI 1.x with the Anthropic model: the SDK traces itself, too", "pydantic-ai-slim", "anthropic"
)
async def pydantic_ai1_anthropic() -> None:
    setup()
    await programs.pydantic_runs(programs.pydantic_anthropic())


@scenario(
    "Logfire instrumenting the OpenAI client: chat, streams, embeddings, errors, responses",
    "logfire",
    "openai",
)
def logfire_openai() -> None:
    programs.logfire_setup().instrument_openai()
    programs.openai_calls()
    programs.responses_calls()


@scenario("Logfire instrumenting the Anthropic client, which traces itself, too", "logfire", "anthropic")
def logfire_anthropic() -> None:
    programs.logfire_setup().instrument_anthropic()
    programs.anthropic_calls()


@scenario(
    "Logfire instrumenting Pydantic AI and the OpenAI client below it",
    "logfire",
    "pydantic-ai-slim",
    "openai",
)
async def logfire_pydantic_ai_and_openai() -> None:
    logfire = programs.logfire_setup()
    logfire.instrument_pydantic_ai()
    logfire.instrument_openai()
    await programs.pydantic_runs(programs.pydantic_openai())


@scenario(
    "Equal calls in parallel through LangChain, seen by OpenInference (content hidden) and, in traces of their own, by openai-v2",
    "langchain-openai",
    "openai",
    "openinference-instrumentation-langchain",
    "opentelemetry-instrumentation-openai-v2",
)
def equal_calls_across_traces() -> None:
    from openinference.instrumentation import TraceConfig
    from openinference.instrumentation.langchain import LangChainInstrumentor
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    provider = setup()
    LangChainInstrumentor().instrument(
        tracer_provider=provider, config=TraceConfig(hide_inputs=True, hide_outputs=True)
    )
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    model = programs.langchain_openai()
    model.batch([f"EQUAL {n}" for n in range(40)], config={"max_concurrency": 10})
    model.batch([f"different {n}" for n in range(10)], config={"max_concurrency": 10})


if __name__ == "__main__":
    main()
