-- Grants the lease, if the record is stale and nothing stands against it.
--
-- length    of the lease, microseconds
-- seen      highest version the caller has seen
-- rejected  highest version the caller knows to be rejected
-- config    digest of the caller's configuration, or null
-- Outcome   'repeated' (granted before), 'fresh', 'backoff', 'held' or 'granted'
--
-- `use_variable`, here and in every function: a later migration may add a column that is called like a variable. `enable_seqscan`: a
-- session keeps a plan, and one made while the table was a page long would go through all of it when it is not.
create or replace function {schema}.claim(key text, attempt text, length bigint, seen bigint, rejected bigint, config text)
returns text language plpgsql set enable_seqscan to off as $body$
#variable_conflict use_variable
declare
  digest bytea := sha256(convert_to(key, 'UTF8'));
  r {schema}.records;
  moment bigint;
  is_held boolean;
  outcome text;
  granted bigint;
begin
  -- Here, in `publish` and in `invalidate`: what is to happen is decided by a look that waits for nobody, with the time after it, and written
  -- if the row still is, byte for byte, what was looked at. Whoever finds another row has locked it by that, and looks once more.
  for looks in 1 .. 10 loop
    select s.* into r from {schema}.records as s where s.id = digest;
    moment := {schema}.clock();
    is_held := {schema}.remaining(r.lease_until, r.lease_length, moment) > 0;
    outcome := case
      when is_held and r.owner = attempt then 'repeated'
      when {schema}.remaining(r.renew_at, r.renew_length, moment) > 0
        and r.version >= seen
        and r.version > greatest(r.rejected_up_to, rejected) then 'fresh'
      when {schema}.remaining(r.retry_at, r.retry_length, moment) > 0 and coalesce(r.config = config, true) then 'backoff'
      when is_held then 'held'
      else 'granted'
    end;
    if outcome <> 'granted' then return {schema}.reply_of(r, outcome, moment); end if;
    granted := greatest(greatest(r.fence, seen, rejected) + 1, moment);
    if granted > 9007199254740991 then raise 'the fence to grant is no safe integer'; end if;
    insert into {schema}.records as s (id, key, fence, owner, lease_fence, lease_until, lease_length, takeover, changed_at)
    values (digest, key, granted, attempt, granted, moment + length, length, r.owner is not null, moment)
    on conflict (id) do update set
      fence = excluded.fence,
      owner = excluded.owner,
      lease_fence = excluded.lease_fence,
      lease_until = excluded.lease_until,
      lease_length = excluded.lease_length,
      takeover = excluded.takeover,
      changed_at = excluded.changed_at
    where s.* *= r
    returning s.* into r;
    if found then return {schema}.reply_of(r, outcome, moment); end if;
  end loop;
  raise 'nothing was written: do other triggers or rules write to the table of the store?';
end $body$
