-- Forgets a few records of the many that may be there: of 100 in a row from an id on, those in which everything was over 90 days ago
-- and that nobody has changed since. It waits for nobody, and needs no index on what changes.
create or replace function {schema}.collect(from_id bytea) returns void language plpgsql set enable_seqscan to off as $body$
#variable_conflict use_variable
declare
  past bigint := {schema}.clock() - 90 * 86400000000;
  each bytea;
begin
  -- One by one: a plan that joins them, made while they are few, would be kept when they are many.
  for each in select s.id from {schema}.records as s where s.id >= from_id order by s.id limit 100 loop
    delete from {schema}.records as s where s.id = (
      select r.id from {schema}.records as r
      where r.id = each and greatest(r.changed_at, r.expires_at, r.lease_until, r.retry_at) < past
      for update skip locked
    );
  end loop;
end $body$
