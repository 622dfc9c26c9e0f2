{#-
    Fails with every row for which the condition is not true (NULL is not true). Touched dates only, unless `per_date`
    is off.
-#}
{% test holds_for_every_row(model, condition, per_date=true) %}
    select *
    from {{ model }}
    where
        ({{ touched('usage_date') if per_date else 'true' }})
        and ({{ condition }}) is not true
{% endtest %}
