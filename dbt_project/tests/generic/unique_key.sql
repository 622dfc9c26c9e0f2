{#-
    Fails with every key that occurs more than once; NULL counts as a value. Touched dates only where usage_date is one
    of the columns.
-#}
{% test unique_key(model, columns) %}
    select
        {{ columns | join(', ') }},
        count(*) as row_count
    from {{ model }}
    where {{ touched('usage_date') if 'usage_date' in columns else 'true' }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
