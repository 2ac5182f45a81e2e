-- Rejects a version, and with it what a fetch in flight may bring: that may be the same dead value.
--
-- Outcome  'unchanged' or 'invalidated'
create or replace function {schema}.invalidate(key text, version bigint) returns text language plpgsql set enable_seqscan to off as $body$
#variable_conflict use_variable
declare
  digest bytea := sha256(convert_to(key, 'UTF8'));
  r {schema}.records;
  moment bigint;
  outcome text;
  rejected bigint;
begin
  for looks in 1 .. 10 loop
    select s.* into r from {schema}.records as s where s.id = digest;
    moment := {schema}.clock();
    outcome := case
      when version < r.version then 'unchanged'
      when version = r.version and {schema}.remaining(r.quiet_until, r.quiet_length, moment) > 0 then 'unchanged'
      when version <= coalesce(r.rejected_up_to, 0) then 'unchanged'
      else 'invalidated'
    end;
    if outcome = 'unchanged' then return {schema}.reply_of(r, outcome, moment); end if;
    rejected := greatest(version, r.fence);
    insert into {schema}.records as s (id, key, fence, rejected_up_to, changed_at)
    values (digest, key, rejected, rejected, moment)
    on conflict (id) do update set
      fence = excluded.fence,
      rejected_up_to = excluded.rejected_up_to,
      changed_at = excluded.changed_at
    where s.* *= r
    returning s.* into r;
    if found then
      perform pg_notify({channel}, r.version || ' ' || r.key);
      return {schema}.reply_of(r, outcome, moment);
    end if;
  end loop;
  raise 'nothing was written: do other triggers or rules write to the table of the store?';
end $body$
