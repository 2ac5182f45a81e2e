-- Grants the lease, if the record is stale and nothing stands against it.
--
-- $2      attempt
-- $3      length of the lease, microseconds
-- $4      highest version the caller has seen
-- $5      highest version the caller knows to be rejected
-- $6      digest of the caller's configuration, or null
-- Writes  fence, owner, lease_fence, lease_until, lease_length, takeover, outcome, answered_at
-- Outcome 'repeated' (granted before), 'fresh', 'backoff', 'held' or 'granted'
select
  case outcome when 'granted' then granted else record.fence end,
  case outcome when 'granted' then $2::text else r.owner end,
  case outcome when 'granted' then granted else r.lease_fence end,
  case outcome when 'granted' then record.now + $3::bigint else r.lease_until end,
  case outcome when 'granted' then $3::bigint else r.lease_length end,
  case outcome when 'granted' then r.owner is not null else r.takeover end,
  outcome,
  record.now
from ({record}) as record, lateral (
  select
    case
      when record.lease_in > 0 and r.owner = $2::text then 'repeated'
      when record.renew_in > 0 and record.version >= $4::bigint and record.version > greatest(record.rejected_up_to, $5::bigint) then 'fresh'
      when record.retry_in > 0 and coalesce(r.config = $6::text, true) then 'backoff'
      when record.lease_in > 0 then 'held'
      else 'granted'
    end as outcome,
    greatest(greatest(record.fence, $4::bigint, $5::bigint) + 1, record.now) as granted
  offset 0
) as decision
