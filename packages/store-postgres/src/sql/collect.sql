-- Forgets a few records of the many that may be there: of 100 in a row from an id on, those in which everything was over 90 days ago
-- and that nobody has changed since. It waits for nobody, and needs no index on what changes.
create or replace function {schema}.collect(from_id bytea) returns void language plpgsql as $body$
#variable_conflict use_variable
declare
  past bigint := {schema}.clock() - 90 * 86400000000;
begin
  delete from {schema}.records where id in (
    select r.id
    from (select id from {schema}.records where id >= from_id order by id limit 100) as next
    join {schema}.records as r using (id)
    where greatest(r.changed_at, r.expires_at, r.lease_until, r.retry_at) < past
    for update of r skip locked
  );
end $body$
