-- Releases a live lease of this attempt and this fence, and shares a failure if there was one.
--
-- KEYS[1]  the record
-- ARGV[1]  channel of announcements
-- ARGV[2]  attempt
-- ARGV[3]  fence
-- ARGV[4]  backoff, microseconds; 0 only releases
-- ARGV[5]  what failed
-- ARGV[6]  digest of the configuration that failed; absent for none
-- Reply    as every script's; the kind is 'settled' or 'unchanged'

local channel, attempt, settled = ARGV[1], ARGV[2], tonumber(ARGV[3])
local backoff, failure, config = tonumber(ARGV[4]), ARGV[5], ARGV[6]

local holds = record.owner == attempt and tonumber(record.leaseFence) == settled and isAhead(record.leaseUntil)
if not holds then
  return reply('unchanged')
end

local set, removed = {}, { unpack(LEASE) }
if backoff > 0 then
  set = { 'retryAt', deadline(now, backoff), 'failure', failure, 'failures', digits((record.failures or 0) + 1) }
  if config then
    table.insert(set, 'config')
    table.insert(set, config)
  else
    table.insert(removed, 'config')
  end
end
change(set, removed)
announce(channel)
return reply('settled')
