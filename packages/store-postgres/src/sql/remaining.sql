-- What is left of a deadline, microseconds; 0 or less: nothing. Nothing is left of one that is further away than it was when it was
-- set, because the clock went back.
create or replace function {schema}.remaining(deadline bigint, length bigint, moment bigint) returns bigint language sql immutable as $body$
  select coalesce(case when deadline - moment <= length then deadline - moment end, 0)
$body$
