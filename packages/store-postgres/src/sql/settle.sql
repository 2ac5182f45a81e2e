-- Releases a live lease of this attempt and this fence, and shares a failure if there was one.
--
-- $2      attempt
-- $3      fence
-- $4      backoff, microseconds; 0 only releases
-- $5      what failed
-- $6      digest of the configuration that failed, or null
-- Writes  owner, lease_fence, lease_until, lease_length, takeover, retry_at, retry_length, failure, failures, config, outcome, answered_at
-- Outcome 'unchanged' or 'settled'
select
  case outcome when 'unchanged' then r.owner end,
  case outcome when 'unchanged' then r.lease_fence end,
  case outcome when 'unchanged' then r.lease_until end,
  case outcome when 'unchanged' then r.lease_length end,
  case outcome when 'unchanged' then r.takeover end,
  case when failed then record.now + $4::bigint else r.retry_at end,
  case when failed then $4::bigint else r.retry_length end,
  case when failed then $5::text else r.failure end,
  case when failed then coalesce(r.failures, 0) + 1 else r.failures end,
  case when failed then $6::text else r.config end,
  outcome,
  record.now
from ({record}) as record, lateral (
  select
    case
      when r.owner = $2::text and r.lease_fence = $3::bigint and record.lease_in > 0 then 'settled'
      else 'unchanged'
    end as outcome
  offset 0
) as decision, lateral (
  select outcome = 'settled' and $4::bigint > 0 as failed
) as failure
