-- What claim, publish, settle and invalidate are: one decision over the row as it is once it is locked, its result written, and the
-- written row replied.
--
-- {decision} is there twice: for a key without a row it sees a row of nulls, else the locked row. It is evaluated after the wait for the
-- lock. What a statement computes before, and `excluded` is that, may be out of date by as long as the wait was.
--
-- {columns} are those that the decision says it writes.
-- {known}   is `true`, or what must hold for a row to be made.
-- $1        the key, in every decision.
with written as (
  insert into {schema}.records as r (id, key, {columns})
  select sha256(convert_to($1::text, 'UTF8')), $1::text, decided.*
  from (select (null::{schema}.records).*) as r, lateral (
    {decision}
  ) as decided
  where {known}
  on conflict (id) do update set ({columns}) = (
    {decision}
  )
  returning r.*
)
select
  {reply},
  -- Key and version only. It is delivered when the statement is committed.
  case when r.outcome in ('accepted', 'settled', 'invalidated') then pg_notify({channel}, r.version || ' ' || r.key) end as announced
from written as r
cross join lateral ({record}) as record
