//! How sums become one: the same wherever they are read.

/// Quantity and events of sums `s` (quantity, events, dimensions as stored) of one meter `m`. Different values and percentiles are
/// found again in what is kept by value, the largest is the largest, and the rest adds up.
macro_rules! together {
    () => {
        "CASE min(m.aggregation)
           WHEN 'unique' THEN (count(DISTINCT s.dimensions ->> m.of_dimension) FILTER (WHERE m.aggregation = 'unique'))::numeric
           WHEN 'percentile' THEN usage_percentile(array_agg(s.quantity) FILTER (WHERE m.aggregation = 'percentile'),
             array_agg(s.events) FILTER (WHERE m.aggregation = 'percentile'), min(m.percent))
           WHEN 'max' THEN max(s.quantity) WHEN 'peak' THEN max(s.quantity) ELSE sum(s.quantity) END AS quantity,
         sum(s.events)::int8 AS events"
    };
}

/// Is a sum `b` (subscription_id, null where it names none) of those that a question `q` is about? What several subscriptions had at
/// once is kept beside what each had: it is asked for together with what names none, or with all.
macro_rules! is_asked_for {
    () => {
        "(q.subscription_id = '00000000-0000-0000-0000-000000000000'
          OR b.subscription_id = q.subscription_id AND (q.or_none OR NOT b.dimensions @> '{\"=of\": \"or_none\"}')
          OR q.or_none AND b.subscription_id IS NULL AND NOT b.dimensions @> '{\"=of\": \"all\"}')"
    };
}

/// Goes on from a table `pieces` (customer_id, meter, hour, subscription_id, started_at, ended_at) to the table `peaks`: the most at
/// once in each hour, of each subscription (`whose` is empty) and, where an hour has several, of each together with what names
/// none (`or_none`) and of all (`all`), which stand with the nil subscription. One that ends as another begins is not beside it.
macro_rules! peaks {
    () => {
        "whose_of AS (
           SELECT customer_id, meter, hour, array_agg(DISTINCT subscription_id) AS subscriptions FROM pieces GROUP BY customer_id, meter, hour),
         counted AS (
           SELECT p.customer_id, p.meter, p.hour, w.subscription_id, w.whose, p.started_at, p.ended_at
           FROM pieces p JOIN whose_of o USING (customer_id, meter, hour)
           CROSS JOIN LATERAL (
             SELECT p.subscription_id, '' AS whose
             UNION ALL SELECT '00000000-0000-0000-0000-000000000000', 'all' WHERE cardinality(o.subscriptions) > 1
             UNION ALL SELECT named, 'or_none' FROM unnest(o.subscriptions) AS named
             WHERE named <> '00000000-0000-0000-0000-000000000000' AND '00000000-0000-0000-0000-000000000000' = ANY (o.subscriptions)
               AND p.subscription_id IN (named, '00000000-0000-0000-0000-000000000000')) w),
         running AS (
           SELECT c.customer_id, c.meter, c.hour, c.subscription_id, c.whose,
                  sum(v.change) OVER (PARTITION BY c.customer_id, c.meter, c.hour, c.subscription_id, c.whose
                                      ORDER BY v.at, v.change ROWS UNBOUNDED PRECEDING) AS at_once
           FROM counted c CROSS JOIN LATERAL (VALUES (greatest(c.started_at, c.hour), 1), (c.ended_at, -1)) AS v(at, change)
           WHERE v.at < c.hour + interval '1 hour'),
         peaks AS (
           SELECT customer_id, meter, hour, subscription_id, whose, max(at_once)::numeric AS quantity
           FROM running GROUP BY customer_id, meter, hour, subscription_id, whose)"
    };
}

pub(crate) use {is_asked_for, peaks, together};
