-- The time, once. `now()` is when the transaction began, which may be before a wait for the row; `offset 0` keeps the planner from
-- putting the call wherever the time is used, where each would give another answer.
(select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now offset 0)
