"""What foreign sources call providers and tools, in our words. Data, and the SQL macros made of it.

What belongs here: names that several formats share, operations too. What does not: prices by model (`pricing`), names of attributes
(the formats).
"""

from __future__ import annotations

from orchestration.sql import literal, string_list

EMBEDDING_OPERATION = "a?embeddings?"
IMAGE_OPERATION = "a?image_(generation|edit|variation)s?"
CALL_OPERATION = "|".join(
    (
        # OpenTelemetry, with the plurals and dots of Semantic Kernel.
        "chat([._](streaming_)?completions?)?",
        "a?(text[._])?(streaming_)?completions?",
        "a?generate_content(_stream)?",
        # LiteLLM names an operation after its function.
        "a?chat_completions?|a?responses?|a?anthropic_messages|a?transcription|a?speech|a?moderation|a?ocr|_?a?realtime",
        EMBEDDING_OPERATION,
        IMAGE_OPERATION,
    )
)
"""Pattern of the values of `gen_ai.operation.name` and `llm.request.type` that are model calls."""

NO_CALL_OPERATION = "agent|tool|function|workflow|chain|task|thread|step|plan|retriev|rerank|search|memory|handoff|guardrail|evaluat"
"""Pattern in the values that are none: what stands around calls or beside them. Others do not tell."""


def marker_of_operation(operation: str) -> str:
    """SQL of `call`, `not_call`, or null where the operation (a text in lower case, or null) does not tell."""
    return f"""case
        when {operation} is null then null
        -- The usual case before the patterns.
        when {operation} in ('chat', 'text_completion', 'embeddings') then 'call'
        when regexp_full_match({operation}, {literal(CALL_OPERATION)}) then 'call'
        when regexp_matches({operation}, {literal(NO_CALL_OPERATION)}) then 'not_call'
    end"""


PROVIDERS: tuple[tuple[str, str], ...] = (
    ("azure", "azure|^az[._]ai"),
    ("aws", "bedrock|^aws|^amazon|sagemaker"),
    ("openrouter", "openrouter"),
    ("google", "vertex|gemini|google|^gcp|^palm"),
    ("anthropic", "anthropic|^claude"),
    ("mistral", "mistral"),
    ("cohere", "cohere"),
    ("groq", "groq"),
    ("deepseek", "deepseek"),
    ("x-ai", "^x[._-]?ai|grok"),
    ("perplexity", "perplexity"),
    ("together", "together"),
    ("fireworks", "fireworks"),
    ("cerebras", "cerebras"),
    ("voyageai", "voyage"),
    ("moonshotai", "moonshot"),
    ("openai", "^(text[-_]completion[-_])?openai([._-](chat|responses?|completions?))?$"),
)
"""Providers as the price catalogue calls them, with patterns of what telemetry calls them; the first that fits counts."""

NO_PROVIDER = "langchain|llama.?index|litellm|strands|pydantic|crewai|autogen|agno|custom|compatible|^_?other$|^unknown$|^proxy$|gateway"
"""What stands where a provider should and is none: the model's name says more."""

PROVIDERS_BY_MODEL: tuple[tuple[str, str], ...] = (
    (
        "aws",
        "^([a-z]{2,6}[.])?(anthropic|amazon|meta|mistral|cohere|ai21|deepseek|qwen|openai)[.]|^arn:aws|^bedrock/",
    ),
    ("azure", "^azure(_ai)?/"),
    ("openrouter", "^openrouter/"),
    ("groq", "^groq/"),
    ("together", "^together(_ai)?/"),
    ("fireworks", "^fireworks(_ai)?/|^accounts/fireworks/"),
    ("anthropic", "claude"),
    ("google", "gemini|^palm|^imagen|^veo|^text-bison|^gemma"),
    (
        "openai",
        "^(openai/)?(gpt-|chatgpt|o[1-9]($|-)|text-embedding-|text-davinci|davinci|dall-e|whisper|tts-|codex|computer-use|omni-)",
    ),
    ("mistral", "^(mistral(ai)?/)?(mistral|mixtral|ministral|codestral|pixtral|magistral|devstral)"),
    ("cohere", "^(cohere/)?(command|embed-(english|multilingual|v)|rerank)"),
    ("deepseek", "^(deepseek/)?deepseek"),
    ("x-ai", "^(xai/|x-ai/)?grok"),
    ("perplexity", "^(perplexity/)?(sonar|pplx)"),
    ("voyageai", "^(voyage/)?voyage"),
    ("moonshotai", "^(moonshot/|moonshotai/)?(kimi|moonshot)"),
)
"""Providers by patterns of model names, for telemetry that names none."""

IMAGE_MODELS = "dall-e|gpt-image|imagen|stable-diffusion|flux|-image-|-image$|recraft|ideogram"
"""Pattern of models that make images."""

TOOL_SERVICES: tuple[tuple[str, str], ...] = (
    ("Google News", "google[ _-]?news"),
    ("Google AI Mode", "google[ _-]?ai[ _-]?mode"),
    ("Google AI Overview", "google[ _-]?ai[ _-]?overview"),
    ("Google Grounding", "google[ _-]?(search[ _-]?)?grounding|^grounding"),
    ("Google Search", "google[ _-]?search|^googlesearch|serper|serp[ _-]?api"),
    ("Bing Search", "bing"),
    ("Exa Similar", "exa.*similar|find[ _-]?similar"),
    ("Exa Search", "(^|[ _.-])exa($|[ _.-])|exa[ _-]?search"),
    ("Website Scrape", "scrape|firecrawl|fetch[ _-]?(url|page|website)|read[ _-]?(url|website)"),
)
"""Tools that the rate card knows, by patterns of their names."""


def _case(pairs: tuple[tuple[str, str], ...], text: str) -> str:
    return " ".join(
        f"when regexp_matches({text}, {literal(pattern)}) then {literal(name)}" for name, pattern in pairs
    )


MACROS = (
    f"""
    create or replace temp macro provider_of_model(model) as
        case when model is null then null {_case(PROVIDERS_BY_MODEL, "lower(model)")} end
    """,
    f"""
    create or replace temp macro provider_of(given, model) as
        case
            -- The usual case, before twenty patterns.
            when list_contains({string_list(name for name, _ in PROVIDERS)}, given) then given
            when given is null or regexp_matches(lower(given), {literal(NO_PROVIDER)})
                then coalesce(
                    provider_of_model(model),
                    case when regexp_matches(lower(given), {literal(NO_PROVIDER)}) then null else given end
                )
            {_case(PROVIDERS, "lower(given)")}
            else coalesce(provider_of_model(model), lower(given))
        end
    """,
    f"""
    create or replace temp macro service_of_tool(name) as
        -- The usual tool is none of them, which one pattern tells.
        case when not regexp_matches(lower(name), {literal("|".join(f"(?:{pattern})" for _, pattern in TOOL_SERVICES))}) then name
            when name is null then null {_case(TOOL_SERVICES, "lower(name)")} else name end
    """,
)
