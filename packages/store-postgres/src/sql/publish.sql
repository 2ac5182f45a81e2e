-- Stores a value, if it is newer than the stored one. The lease need not be held any more.
--
-- renewal    time to renewal, microseconds
-- life       time to the end, microseconds
-- based_on   version the value was derived from, or null
-- quiet      quiet time, microseconds, or null
-- max_ahead  how far ahead of the clock the fence may be, microseconds, or null
-- Outcome    'repeated' (accepted before), 'superseded', 'refused' or 'accepted'
create or replace function {schema}.publish(
  key text, attempt text, fence bigint, value text, renewal bigint, life bigint, based_on bigint, quiet bigint, max_ahead bigint
) returns text language plpgsql set enable_seqscan to off as $body$
#variable_conflict use_variable
declare
  digest bytea := sha256(convert_to(key, 'UTF8'));
  r {schema}.records;
  moment bigint;
  since bigint;
  outcome text;
  releases boolean;
begin
  for looks in 1 .. 10 loop
    select s.* into r from {schema}.records as s where s.id = digest;
    moment := {schema}.clock();
    outcome := case
      -- Delivered before. Nothing may change: the value may have been rejected since.
      when r.published_by = attempt then 'repeated'
      when r.version > based_on or fence <= r.version then 'superseded'
      when fence - moment > max_ahead then 'refused'
      else 'accepted'
    end;
    releases := outcome in ('accepted', 'superseded') and coalesce(r.owner = attempt, false);
    if outcome = 'accepted' then
      -- From the grant, not from the arrival: a publication can have waited in a queue.
      since := least(moment, fence);
      insert into {schema}.records as s (
        id, key, fence, version, published_by, value, renew_at, renew_length, expires_at, expires_length, quiet_until, quiet_length, changed_at
      ) values (
        digest, key, greatest(r.fence, fence), fence, attempt, value, since + renewal, renewal, since + life, life, moment + quiet, quiet, moment
      ) on conflict (id) do update set
        fence = excluded.fence,
        version = excluded.version,
        published_by = excluded.published_by,
        value = excluded.value,
        renew_at = excluded.renew_at, renew_length = excluded.renew_length,
        expires_at = excluded.expires_at, expires_length = excluded.expires_length,
        quiet_until = excluded.quiet_until, quiet_length = excluded.quiet_length,
        owner = case when not releases then s.owner end,
        lease_fence = case when not releases then s.lease_fence end,
        lease_until = case when not releases then s.lease_until end,
        lease_length = case when not releases then s.lease_length end,
        takeover = case when not releases then s.takeover end,
        retry_at = null, retry_length = null, failure = null, failures = null, config = null,
        changed_at = excluded.changed_at
      where s.* *= r
      returning s.* into r;
      continue when not found;
      perform pg_notify({channel}, r.version || ' ' || r.key);
    elsif releases then
      update {schema}.records as s
      set owner = null, lease_fence = null, lease_until = null, lease_length = null, takeover = null, changed_at = moment
      where s.id = digest and s.owner = attempt
      returning s.* into r;
      continue when not found;
    end if;
    return {schema}.reply_of(r, outcome, moment);
  end loop;
  raise 'nothing was written: do other triggers or rules write to the table of the store?';
end $body$
