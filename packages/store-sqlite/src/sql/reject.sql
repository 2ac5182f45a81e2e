-- Change: this version is rejected, and with it what a fetch in flight may bring: that may be the same dead value.
--
-- :key :now  as in record.sql
-- :version   to be rejected

update records
set
  written_at = :now,
  fence = max(:version, fence),
  rejected_up_to = max(:version, fence)
where key = :key
