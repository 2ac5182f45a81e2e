-- Change: this value is the published one. Its times count from the grant, not from the arrival: a publication can have waited in a queue.
--
-- :key :now  as in record.sql
-- :attempt :fence  as in publish.sql
-- :value
-- :renewIn   time to renewal, microseconds
-- :expiresIn time to the end, microseconds
-- :quiet     quiet time, microseconds; null for none

update records
set
  written_at = :now,
  fence = max(fence, :fence),
  version = :fence,
  published_by = :attempt,
  value = :value,
  renew_at = min(:now, :fence) + :renewIn,
  renew_length = :renewIn,
  expires_at = min(:now, :fence) + :expiresIn,
  expires_length = :expiresIn,
  quiet_until = :now + :quiet,
  quiet_length = :quiet,
  failures = 0,
  failure = null,
  retry_at = null,
  retry_length = null,
  config = null
where key = :key
