{#
    Fails with every key that the model does not have exactly as often as the relation it is made of (`of`): a join that
    multiplied rows, or lost them. Touched dates only, so usage_date must be one of the columns.
#}
{% test no_fan_out(model, of, columns, of_where='true') %}
    with signed as (
        select
            {{ columns | join(', ') }},
            1 as row_sign
        from {{ model }}
        where {{ touched('usage_date') }}
        union all
        select
            {{ columns | join(', ') }},
            -1 as row_sign
        from {{ of }}
        where
            ({{ touched('usage_date') }})
            and ({{ of_where }})
    )

    select
        {{ columns | join(', ') }},
        sum(row_sign) as surplus_rows
    from signed
    group by {{ columns | join(', ') }}
    having sum(row_sign) <> 0
{% endtest %}
