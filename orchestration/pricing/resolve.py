"""Which price a model's name gets: from the names as spans carry them to a model of the catalogue and a rule of the price file.

What belongs here: how names are read (prefixes, dates, regions, case) and which source wins. Each distinct combination of names
is resolved once; the result is a small table that the pricing SQL joins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestration.pricing import catalogue, patterns
from orchestration.pricing.prices import Price

# Requests that name one of these pay the standard price.
STANDARD_TIERS = frozenset(
    {"", "auto", "default", "standard", "on_demand", "ondemand", "none", "standard_only"}
)

LONGEST_NAME = 300
"""Longer names are not looked up: no model is called that, and patterns would be slow on them."""

_DATE = re.compile(r"[-@](20\d{6}|20\d\d-\d\d-\d\d)$")
_VERSION = re.compile(r"(-latest|:latest|@latest|@default|-v\d+:\d+|-v\d+|-\d{3})$")
_REGION = re.compile(r"^(us|eu|apac|ap|jp|au|ca|sa|me|us-gov|global)\.(?=[a-z])")


@dataclass(frozen=True, order=True)
class Names:
    """What a span says of its model; empty where it says nothing."""

    provider: str
    model: str
    response_model: str
    service_tier: str


@dataclass(frozen=True)
class Resolution:
    """What those names are priced as. `price_key` is None where no source knows the model."""

    names: Names
    price_key: str | None
    provider: str | None
    model: str | None
    #: Sources and steps in words, for a reader.
    rule: str
    #: A processing tier was named that no source has a price for: the standard price is taken.
    is_tier_unknown: bool
    #: Where the prices come from: the catalogue's (provider, model), the file's (provider, pattern), and the variant.
    listed: tuple[str, str] | None
    filed: tuple[str, str] | None
    variant: str


@dataclass(frozen=True)
class FileRule:
    """A (provider, pattern) of the price file and the variants it has prices for."""

    provider: str
    pattern: str
    variants: frozenset[str]

    @property
    def specificity(self) -> tuple[bool, int, bool, str, str]:
        """The greatest matching rule wins: exact names before patterns, more letters before fewer, a provider before none."""
        exact = patterns.exact_name(self.pattern)
        letters = len(self.pattern.replace("*", "")) if exact is None else len(exact)
        return exact is not None, letters, bool(self.provider), self.pattern, self.provider


class Resolver:
    """Resolves names against the catalogue and the rows of a price file."""

    def __init__(self, file_prices: Sequence[Price]) -> None:
        variants: dict[tuple[str, str], set[str]] = {}
        for price in file_prices:
            variants.setdefault((price.provider, price.model_rule), set()).add(price.variant)
        rules = (FileRule(*key, frozenset(found)) for key, found in variants.items())
        self._rules = sorted(rules, key=lambda rule: rule.specificity, reverse=True)
        self._catalogue_variants: dict[tuple[str, str], set[str]] = {}
        for price in catalogue.prices():
            self._catalogue_variants.setdefault((price.provider, price.model_rule), set()).add(price.variant)

    def resolve(self, names: Names) -> Resolution:
        """The response's model prices the call where it is known, else the model asked for; the file's rules go first."""
        models = [model for model in (names.response_model, names.model) if model]
        filed = next(filter(None, (self._file_rule(names.provider, model) for model in models)), None)
        listed = next(filter(None, (_listed(names.provider, model) for model in models)), None)
        tier = patterns.normal(names.service_tier)
        variant = tier if tier not in STANDARD_TIERS and tier in self._variants(filed, listed) else ""
        steps = []
        if filed:
            provider = f"{filed.provider}/" if filed.provider else ""
            steps.append(f"price file rule {provider}{filed.pattern}")
        if listed:
            match, how = listed
            steps.append(f"catalogue {match.listed_by}/{match.model}{how}")
        if variant:
            steps.append(f"tier {variant}")
        if not steps:
            return Resolution(names, None, None, None, "no rule matched", False, None, None, "")
        file_key = (filed.provider, filed.pattern) if filed else None
        list_key = (listed[0].listed_by, listed[0].model) if listed else None
        if listed:
            provider_name, model_name = listed[0].provider, listed[0].model
        else:
            provider_name, model_name = patterns.normal(names.provider), patterns.normal(models[0])
        return Resolution(
            names=names,
            price_key="|".join(["/".join(list_key or ()), "/".join(file_key or ()), variant]),
            provider=provider_name or None,
            model=model_name,
            rule=", ".join(steps),
            is_tier_unknown=tier not in STANDARD_TIERS and not variant,
            listed=list_key,
            filed=file_key,
            variant=variant,
        )

    def _variants(self, filed: FileRule | None, listed: tuple[catalogue.Match, str] | None) -> set[str]:
        found = set(filed.variants) if filed else set()
        if listed:
            found |= self._catalogue_variants.get((listed[0].listed_by, listed[0].model), set())
        return found

    def _file_rule(self, provider: str, model: str) -> FileRule | None:
        if not self._rules or len(model) > LONGEST_NAME:
            return None
        raw = patterns.normal(provider)
        spellings = {
            (seller, name)
            for provider_id, name, _ in _readings(raw, model)
            for seller in (raw, provider_id or raw, "")
        }
        for rule in self._rules:
            if any(
                seller == rule.provider and patterns.matches(rule.pattern, name) for seller, name in spellings
            ):
                return rule
        return None


def _listed(provider: str, model: str) -> tuple[catalogue.Match, str] | None:
    """The catalogue's model, and in words what was done to the name to find it."""
    if len(model) > LONGEST_NAME:
        return None
    for provider_id, name, steps in _readings(patterns.normal(provider), model):
        if match := catalogue.find(name, provider_id):
            asked = [] if match.listed_by == match.provider else [f"asked of {match.provider}"]
            said = asked + list(steps)
            return match, f" ({'; '.join(said)})" if said else ""
    return None


def _readings(provider: str, model: str) -> Iterator[tuple[str | None, str, tuple[str, ...]]]:
    """(provider id or None, model name, steps) in the order in which they are tried."""
    name = patterns.normal(model)
    known = _provider_id(provider) if provider else None
    steps: tuple[str, ...] = ()
    if provider and known is None:
        steps = (f"provider '{provider}' is not known, by model name",)
    yield from _spellings(known, name, steps)
    rest = name
    while "/" in rest:
        prefix, rest = rest.split("/", 1)
        # `azure/…` says more than the client library's own name that stands in `provider`.
        known = _provider_id(prefix.removeprefix("arn:aws:").split(":", 1)[0]) or known
        steps = (*steps, f"without '{prefix}/'")
        yield from _spellings(known, rest, steps)


def _spellings(
    provider: str | None, name: str, steps: tuple[str, ...]
) -> Iterator[tuple[str | None, str, tuple[str, ...]]]:
    """The name as it is, then with dates, versions and regions cut off, one after the other."""
    yield provider, name, steps
    for pattern in (_VERSION, _DATE, _VERSION, _REGION):
        if found := pattern.search(name):
            name = name[: found.start()] + name[found.end() :]
            steps = (*steps, f"without '{found.group()}'")
            yield provider, name, steps


def _provider_id(name: str) -> str | None:
    """The catalogue's provider for a name that libraries use; None where nobody is known by it."""
    name = patterns.normal(name)
    if "azure" in name or name.startswith("az."):
        return "azure"
    return catalogue.provider_of(name) or catalogue.provider_of(name.replace("_", "-"))


def resolve_all(names: Iterable[Names], file_prices: Sequence[Price]) -> list[Resolution]:
    """Each combination once, sorted."""
    resolver = Resolver(file_prices)
    return [resolver.resolve(item) for item in sorted(set(names))]
