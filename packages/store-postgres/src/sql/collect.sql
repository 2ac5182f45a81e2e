-- Forgets a few records of the many that may be there: of 100 in a row from somewhere on, those in which everything was over 90 days
-- ago and that nobody has asked to change since. It waits for nobody, and needs no index on what changes.
--
-- $1     where to begin, 64 hexadecimal digits
delete from {schema}.records where id in (
  select r.id
  from (select id from {schema}.records where id >= decode($1::text, 'hex') order by id limit 100) as next
  join {schema}.records as r using (id)
  cross join (select (extract(epoch from clock_timestamp()) * 1000000)::bigint - 90 * 86400000000 as since offset 0) as past
  where greatest(r.answered_at, r.expires_at, r.lease_until, r.retry_at) < past.since
  for update of r skip locked
)
