"""The invented world of the sample exports, as plain data: workspaces, models, prices, services, people.

What belongs here: names, weights, prices. What does not: any behaviour. The order of a tuple and the
weights decide which rows refer to which entry, so an edit here changes every generated file.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Model:
    """One model: how often it is picked, what it costs in USD per million tokens, and how it behaves."""

    provider: str
    name: str
    #: Share of picks within its kind, relative to the other models of that kind.
    weight: int
    #: None: the provider reports no price, so its calls arrive without a cost.
    input_price: str | None
    cached_price: str = "0"
    cache_write_price: str = "0"
    output_price: str = "0"
    citation_price: str = "0"
    image_price: str = "0"
    audio_price: str = "0"
    #: Completion, embedding or image_generation: the kind of span that calls it.
    kind: str = "completion"
    #: Share of calls that read from the provider's prompt cache, in percent.
    cached_pct: int = 0
    #: Share of calls that also write to it, in percent.
    cache_write_pct: int = 0
    #: Least share of the output that is reasoning, in percent; 0 = does not reason.
    reasoning_pct: int = 0
    #: Time to the first token and time per output token.
    base_ms: int = 350
    token_ms: float = 9.0

    def price_per_token(self, price: str) -> Decimal:
        """USD per token, exact."""
        return Decimal(price) / Decimal(1_000_000)


MODELS = (
    Model("openai", "gpt-4o", 14, "2.50", "1.25", output_price="10", cached_pct=30),
    Model("openai", "gpt-4o-mini", 20, "0.15", "0.075", output_price="0.60", cached_pct=30, token_ms=6.0),
    Model("openai", "o3", 7, "2", "0.50", output_price="8", cached_pct=25, reasoning_pct=40, base_ms=1800),
    Model(
        "anthropic", "claude-opus-4-5", 7, "5", "0.50", "6.25", "25",
        cached_pct=72, cache_write_pct=40, base_ms=900, token_ms=16.0,
    ),
    Model(
        "anthropic", "claude-sonnet-4-5", 17, "3", "0.30", "3.75", "15",
        cached_pct=78, cache_write_pct=45, base_ms=650, token_ms=12.0,
    ),
    Model(
        "anthropic", "claude-haiku-4-5", 11, "1", "0.10", "1.25", "5",
        cached_pct=65, cache_write_pct=35, base_ms=300, token_ms=5.0,
    ),
    Model(
        "google", "gemini-2.5-pro", 8, "1.25", "0.31", output_price="10",
        cached_pct=20, reasoning_pct=25, base_ms=1200, token_ms=8.0,
    ),
    Model(
        "google", "gemini-2.5-flash", 12, "0.30", "0.075", output_price="2.50", audio_price="1",
        cached_pct=15, base_ms=280, token_ms=4.0,
    ),
    Model("perplexity", "sonar", 4, "1", output_price="1", citation_price="2", base_ms=1500, token_ms=7.0),
    Model("house", "house-llm", 3, None, base_ms=200, token_ms=14.0),
    Model("openai", "text-embedding-3-small", 4, "0.02", kind="embedding", base_ms=90, token_ms=0.0),
    Model(
        "openai", "gpt-image-1", 1, "10", image_price="40", kind="image_generation",
        base_ms=9000, token_ms=4.0,
    ),
)  # fmt: skip
"""Prices are plausible list prices; a real bill is not promised."""


@dataclass(frozen=True)
class Service:
    """One billable service that is not a model call."""

    name: str
    span_name: str
    weight: int
    #: Task credits where the platform's account is used; None: varies per call and is reported.
    hosted_credits: int | None
    personal_credits: int
    #: The provider's charge per call where the customer's own key is used; None: this service is hosted only.
    personal_cost_usd: str | None
    median_ms: int


SERVICES = (
    Service("Google Search", "google_search", 40, 2, 0, "0.001", 750),
    Service("Website Scrape", "website_scrape", 28, 1, 1, None, 1900),
    Service("Exa Search", "exa_search", 22, None, 1, "0.005", 1100),
    Service("Google News", "google_news", 6, 2, 0, "0.001", 800),
    Service("Google Grounding", "google_grounding", 4, 1, 1, None, 600),
)

WORKSPACES = tuple(
    ("ws_" + name.lower().replace(" ", "_"), name)
    for name in (
        "Acme", "Globex", "Initech", "Umbrella", "Hooli", "Stark", "Wayne", "Wonka", "Cyberdyne", "Soylent",
        "Tyrell", "Aperture", "Black Mesa", "Massive Dynamic", "Oscorp", "Pied Piper", "Vandelay",
        "Dunder Mifflin",
        "Sterling Cooper", "Prestige", "Bluth", "Gekko", "Duff", "Planet Express", "Weyland", "Nakatomi",
        "Monarch",
        "Virtucon", "Zorg", "Spacely", "Cogswell", "Kramerica", "Paper Street", "Rekall", "Omni", "Dharma",
        "Los Pollos",
        "Wernham Hogg", "Reynholm", "Central Perk", "Oceanic", "Gringotts", "Ollivander", "Clampett",
        "Ewing", "Entertainment 720",
        "Lumon", "Waystar", "Gavin Belson", "Compu Global",
    )
)  # fmt: skip
"""(workspace_id, name). The first is the busiest; the others follow by a Zipf-like law."""

RESOURCES = {
    "prompt": (
        "Support reply", "Product description", "Meeting notes", "Lead scoring", "Ticket triage", "SEO title",
        'Réponse "rapide"', "Translate & localise", "Contract clause check", "Changelog writer",
    ),
    "workflow": (
        "Weekly market report", "Blog post pipeline", "Company enrichment", "Invoice intake",
        "Social pack <images>",
        "Press review", "Competitor watch",
    ),
    "agent": (
        "Research analyst", "Support copilot", "Sales researcher", "Data concierge", "Übersetzungs-Agent",
        "Travel planner",
    ),
}  # fmt: skip
"""Every workspace has its own of each, with its own id; some names carry characters that a page must
escape."""

RESOURCE_ID_PREFIXES = {"prompt": "prm", "workflow": "wfl", "agent": "agt"}

COLLABORATORS = (
    "Ada Obi", "Bruno Costa", "Chiara Rossi", "Daniel Novák", "Eun-ji Park", "Fatima Zahra", "Göran Åberg",
    "Hana Sato",
    "Ines d'Almeida", "Jonas Weiß",
)  # fmt: skip

API_KEYS = ("Production", "Staging", "Mobile app", "Partner integration", "Notebook")

INTERNAL_TOOLS = (
    "calculator",
    "sql_query",
    "calendar_lookup",
    "crm_lookup",
    "send_email",
    "code_interpreter",
)
"""Tools of an agent that no service bills."""

PLANS = ("free", "pro", "team", "enterprise")

CAMPAIGNS = ("spring-launch", "webinar", "newsletter")

#: Relative load of the hours 0 to 23 UTC.
HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 3, 5, 8, 9, 9, 8, 6, 8, 9, 9, 8, 6, 4, 3, 3, 2, 2, 1)

#: Relative load of Monday to Sunday; the mean is 1.
WEEKDAY_FACTORS = (1.12, 1.18, 1.2, 1.16, 1.04, 0.62, 0.68)

#: Growth of the load per day.
DAILY_GROWTH = 0.002

#: Share of all runs that nothing else starts; the rest are child runs of agents.
ROOT_RUN_SHARE = 0.90

USERS_PER_WORKSPACE = 240
