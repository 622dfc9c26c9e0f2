"""The meters that prices are given for: the one list that price files, the catalogue and the pricing SQL share.

What belongs here: a meter's name, its unit, where the catalogue keeps its price, and which meter stands in where a model has
no price for it. The quantity of each meter on a span is worked out in `dbt_project/macros/pricing.sql`, by these names.
"""

from __future__ import annotations

from dataclasses import dataclass

MILLION = 1_000_000
THOUSAND = 1_000


@dataclass(frozen=True)
class Meter:
    """Something a provider counts and charges for."""

    name: str
    #: Units that a price is given for: 1,000,000 for tokens.
    unit_size: int
    #: The catalogue's name of its price; empty where only a price file can give one.
    catalogue_key: str
    description: str
    #: The meter whose price applies where a model has none for this one; empty: it costs nothing then.
    fallback: str = ""
    #: True where falling back is a guess, not how providers bill: the call is marked `partial`.
    fallback_is_partial: bool = False
    #: False: spans carry no quantity for it; its prices are listed and charge nothing.
    is_measured: bool = True


METERS = (
    Meter("uncached_input", MILLION, "input_mtok", "Input tokens that no other input meter counts."),
    Meter("cached_input", MILLION, "cache_read_mtok", "Input tokens read from a cache.", "uncached_input", True),
    Meter(
        "cache_write_5m", MILLION, "cache_write_mtok",
        "Input tokens written to a cache that lives five minutes (or has no named lifetime).", "uncached_input", True,
    ),
    Meter(
        "cache_write_1h", MILLION, "cache_write_1h_mtok", "Input tokens written to a cache that lives an hour.",
        "cache_write_5m", True,
    ),
    Meter("audio_input", MILLION, "input_audio_mtok", "Input tokens that are audio.", "uncached_input"),
    Meter("image_input", MILLION, "input_image_mtok", "Input tokens that are images.", "uncached_input"),
    Meter("output", MILLION, "output_mtok", "Output tokens that no other output meter counts."),
    Meter("reasoning", MILLION, "output_reasoning_mtok", "Output tokens spent on reasoning.", "output"),
    Meter("audio_output", MILLION, "output_audio_mtok", "Output tokens that are audio.", "output"),
    Meter("image_output", MILLION, "output_image_mtok", "Tokens of generated images.", "output"),
    Meter("citation", MILLION, "output_citation_mtok", "Tokens of cited sources; most providers charge nothing for them."),
    Meter("image", 1, "", "Generated images, where a price per image is agreed."),
    Meter("web_search", THOUSAND, "web_searches_kcount", "Web searches that the provider made for the call."),
    Meter("request", THOUSAND, "requests_kcount", "The call itself."),
    Meter("cached_audio_input", MILLION, "cache_audio_read_mtok", "Cached audio input tokens.", is_measured=False),
    Meter("cached_image_input", MILLION, "cache_image_read_mtok", "Cached image input tokens.", is_measured=False),
    Meter("video_input", MILLION, "input_video_mtok", "Video input tokens.", is_measured=False),
    Meter("video_output", MILLION, "output_video_mtok", "Video output tokens.", is_measured=False),
    Meter("audio_hour", 1, "audio_hours", "Hours of audio.", is_measured=False),
    Meter("audio_input_hour", 1, "input_audio_hours", "Hours of audio sent.", is_measured=False),
    Meter("character", MILLION, "input_mchars", "Characters sent.", is_measured=False),
    Meter("message", THOUSAND, "input_text_messages_kcount", "Text messages sent.", is_measured=False),
    Meter("file_search", THOUSAND, "storage_searches_kcount", "Searches in stored files.", is_measured=False),
    Meter("document_page", THOUSAND, "input_document_kpages", "Document pages.", is_measured=False),
    Meter("annotated_document_page", THOUSAND, "input_annotated_document_kpages", "Annotated pages.", is_measured=False),
)  # fmt: skip

MEASURED = tuple(meter for meter in METERS if meter.is_measured)
BY_NAME = {meter.name: meter for meter in METERS}
BY_CATALOGUE_KEY = {meter.catalogue_key: meter for meter in METERS if meter.catalogue_key}
