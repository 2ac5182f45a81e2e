-- Change: a failure is counted and shared.
--
-- :key :now  as in record.sql
-- :backoff   how long everybody is to wait, microseconds
-- :failure   what failed
-- :config    digest of the configuration that failed; null for none

update records
set
  written_at = :now,
  failures = failures + 1,
  failure = :failure,
  retry_at = :now + :backoff,
  retry_length = :backoff,
  config = :config
where key = :key
