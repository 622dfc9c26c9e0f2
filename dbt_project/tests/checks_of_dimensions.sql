-- Dimensions: rules of a row.
{{ all_checks([
    holds_for_every_row(
        "dim_price_set__rules",
        "dim_price_set",
        per_date=false,
        rules={
            "stretches_are_not_empty": "valid_from < valid_to and daily_from_s < daily_to_s and above_input_tokens < up_to_input_tokens",
            "rates_are_not_negative": "
                coalesce(least(
                    uncached_input_usd, cached_input_usd, cache_write_5m_usd, cache_write_1h_usd, audio_input_usd,
                    image_input_usd, output_usd, reasoning_usd, audio_output_usd, image_output_usd, citation_usd,
                    image_usd, web_search_usd, request_usd
                ), 0) >= 0
            ",
        }
    ),
], shown_at="dim_price_set") }}
