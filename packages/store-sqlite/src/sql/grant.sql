-- Change: this attempt gets the lease, with a fence above all that the record and the caller know.
--
-- :key :now  as in record.sql
-- :attempt :seen :rejected  as in claim.sql
-- :lease     length of the lease, microseconds

update records
set
  written_at = :now,
  fence = granted,
  owner = :attempt,
  lease_fence = granted,
  lease_until = :now + :lease,
  lease_length = :lease,
  takeover = owner is not null
from (select max(max(fence, :seen, :rejected) + 1, :now) as granted from records where key = :key)
where key = :key
