-- Stores a value, if it is newer than the stored one. The lease need not be held any more.
--
-- $2      attempt
-- $3      fence
-- $4      value
-- $5      time to renewal, microseconds
-- $6      time to the end, microseconds
-- $7      version the value was derived from, or null
-- $8      quiet time, microseconds, or null
-- $9      how far ahead of the clock the fence may be, microseconds, or null
-- Writes  fence, version, published_by, value, renew_at, renew_length, expires_at, expires_length, quiet_until, quiet_length,
--         owner, lease_fence, lease_until, lease_length, takeover,
--         retry_at, retry_length, failure, failures, config, outcome, answered_at
-- Outcome 'repeated' (accepted before), 'superseded', 'refused' or 'accepted'
select
  case outcome when 'accepted' then greatest(record.fence, $3::bigint) else record.fence end,
  case outcome when 'accepted' then $3::bigint else record.version end,
  case outcome when 'accepted' then $2::text else r.published_by end,
  case outcome when 'accepted' then $4::text else r.value end,
  case outcome when 'accepted' then since + $5::bigint else r.renew_at end,
  case outcome when 'accepted' then $5::bigint else r.renew_length end,
  case outcome when 'accepted' then since + $6::bigint else r.expires_at end,
  case outcome when 'accepted' then $6::bigint else r.expires_length end,
  case outcome when 'accepted' then record.now + $8::bigint else r.quiet_until end,
  case outcome when 'accepted' then $8::bigint else r.quiet_length end,
  case when not releases then r.owner end,
  case when not releases then r.lease_fence end,
  case when not releases then r.lease_until end,
  case when not releases then r.lease_length end,
  case when not releases then r.takeover end,
  case when outcome <> 'accepted' then r.retry_at end,
  case when outcome <> 'accepted' then r.retry_length end,
  case when outcome <> 'accepted' then r.failure end,
  case when outcome <> 'accepted' then r.failures end,
  case when outcome <> 'accepted' then r.config end,
  outcome,
  record.now
from ({record}) as record, lateral (
  select
    case
      -- Delivered before. Nothing may change: the value may have been rejected since.
      when r.published_by = $2::text then 'repeated'
      when record.version > $7::bigint or $3::bigint <= record.version then 'superseded'
      when $3::bigint - record.now > $9::bigint then 'refused'
      else 'accepted'
    end as outcome,
    -- From the grant, not from the arrival: a publication can have waited in a queue.
    least(record.now, $3::bigint) as since
  offset 0
) as decision, lateral (
  select coalesce(r.owner = $2::text and outcome in ('accepted', 'superseded'), false) as releases
) as lease
