{#-
    Fails with every key that occurs more than once; NULL counts as a value. Touched dates only where usage_date is one
    of the columns, or where `per_date` says that the model has it.
-#}
{% test unique_key(model, columns, per_date=false) %}
    select
        {{ columns | join(', ') }},
        count(*) as row_count
    from {{ model }}
    where {{ touched('usage_date') if per_date or 'usage_date' in columns else 'true' }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
