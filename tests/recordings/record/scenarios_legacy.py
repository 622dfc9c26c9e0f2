"""Scenarios with releases of 2025, whose attributes have older names (requirements-legacy.txt)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import programs
from opentelemetry import trace
from telemetry import main, scenario, setup


@scenario(
    "OpenLLMetry's openai of 2025: prompt_tokens, completion_tokens, gen_ai.system",
    "openai",
    "opentelemetry-instrumentation-openai",
)
def legacy_openllmetry_openai() -> None:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    programs.openai_calls()
    programs.responses_calls()


@scenario("OpenLLMetry's anthropic of 2025", "anthropic", "opentelemetry-instrumentation-anthropic")
def legacy_openllmetry_anthropic() -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument(tracer_provider=setup())
    programs.anthropic_calls()


@scenario(
    "OpenInference's openai and anthropic of 2025",
    "openai",
    "anthropic",
    "openinference-instrumentation-openai",
    "openinference-instrumentation-anthropic",
)
def legacy_openinference() -> None:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    provider = setup()
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    AnthropicInstrumentor().instrument(tracer_provider=provider)
    programs.openai_calls()
    programs.responses_calls()
    programs.anthropic_calls()


@scenario("OpenTelemetry's openai-v2 of 2025", "openai", "opentelemetry-instrumentation-openai-v2")
def legacy_openai_v2() -> None:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=setup())
    programs.openai_calls()


@scenario("Pydantic AI 0.x, OpenAI chat", "pydantic-ai-slim", "openai")
async def legacy_pydantic_ai() -> None:
    setup()
    await programs.pydantic_runs(programs.pydantic_openai())


@scenario(
    "Pydantic AI 0.x with the Anthropic model and OpenLLMetry's anthropic",
    "pydantic-ai-slim",
    "anthropic",
    "opentelemetry-instrumentation-anthropic",
)
async def legacy_pydantic_ai_anthropic() -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument(tracer_provider=setup())
    await programs.pydantic_runs(programs.pydantic_anthropic())


@scenario(
    "Three watchers of one OpenAI client: OpenLLMetry, OpenInference and openai-v2 of 2025; equal calls in parallel among them",
    "openai", "opentelemetry-instrumentation-openai", "openinference-instrumentation-openai", "opentelemetry-instrumentation-openai-v2",
)  # fmt: skip
def legacy_three_watchers() -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor as OpenLLMetry
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor as Official

    provider = setup()
    Official().instrument(tracer_provider=provider)
    OpenLLMetry().instrument(tracer_provider=provider)
    OpenInference().instrument(tracer_provider=provider)
    programs.openai_calls()
    client = programs.openai()

    def create(_: int) -> None:
        client.chat.completions.create(model=programs.MINI, messages=programs.ask("EQUAL"))

    with trace.get_tracer("app").start_as_current_span("fan out"), ThreadPoolExecutor(6) as pool:
        list(pool.map(create, range(18)))


if __name__ == "__main__":
    main()
