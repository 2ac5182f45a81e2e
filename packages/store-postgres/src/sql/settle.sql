-- Releases a live lease of this attempt and this fence, and shares a failure if there was one.
--
-- backoff  microseconds; 0 only releases
-- failure  what failed
-- config   digest of the configuration that failed, or null
-- Outcome  'unchanged' or 'settled'
create or replace function {schema}.settle(key text, attempt text, fence bigint, backoff bigint, failure text, config text)
returns text language plpgsql set enable_seqscan to off as $body$
#variable_conflict use_variable
declare
  digest bytea := sha256(convert_to(key, 'UTF8'));
  r {schema}.records;
  moment bigint;
  outcome text := 'unchanged';
  failed boolean := backoff > 0;
begin
  -- Under the lock from the beginning: it counts whether the lease still is alive when the row is free.
  select s.* into r from {schema}.records as s where s.id = digest for update;
  moment := {schema}.clock();
  if r.owner = attempt and r.lease_fence = fence and {schema}.remaining(r.lease_until, r.lease_length, moment) > 0 then
    outcome := 'settled';
    update {schema}.records as s set
      owner = null, lease_fence = null, lease_until = null, lease_length = null, takeover = null,
      retry_at = case when failed then moment + backoff else s.retry_at end,
      retry_length = case when failed then backoff else s.retry_length end,
      failure = case when failed then settle.failure else s.failure end,
      failures = case when failed then coalesce(s.failures, 0) + 1 else s.failures end,
      config = case when failed then settle.config else s.config end,
      changed_at = moment
    where s.id = digest
    returning s.* into strict r;
    perform pg_notify({channel}, r.version || ' ' || r.key);
  end if;
  return {schema}.reply_of(r, outcome, moment);
end $body$
