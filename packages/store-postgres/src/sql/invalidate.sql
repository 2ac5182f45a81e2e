-- Rejects a version, and with it what a fetch in flight may bring: that may be the same dead value.
--
-- $2      version
-- Writes  fence, rejected_up_to, outcome, answered_at
-- Outcome 'unchanged' or 'invalidated'
select
  case outcome when 'invalidated' then rejected else record.fence end,
  case outcome when 'invalidated' then rejected else record.rejected_up_to end,
  outcome,
  record.now
from ({record}) as record, lateral (
  select
    case
      when $2::bigint < record.version then 'unchanged'
      when $2::bigint = record.version and record.quiet_in > 0 then 'unchanged'
      when $2::bigint <= record.rejected_up_to then 'unchanged'
      else 'invalidated'
    end as outcome,
    greatest($2::bigint, record.fence) as rejected
  offset 0
) as decision
