-- Change: the lease is nobody's any more, if it is this attempt's.
--
-- :key :now  as in record.sql
-- :attempt   who held it

update records
set
  written_at = :now,
  owner = null,
  lease_fence = null,
  lease_until = null,
  lease_length = null,
  takeover = null
where key = :key and owner = :attempt
