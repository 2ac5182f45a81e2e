-- The time, microseconds since 1970. `now()` is when the transaction began, which may be before a wait for the row.
create or replace function {schema}.clock() returns bigint language sql as $body$
  select (extract(epoch from clock_timestamp()) * 1000000)::bigint
$body$
