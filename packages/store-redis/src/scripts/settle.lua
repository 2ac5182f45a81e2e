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
local backoff, failure, config = ARGV[4], ARGV[5], ARGV[6]

local holds = record.owner == attempt and tonumber(record.leaseFence) == settled and left(record.leaseUntil) > 0
if not holds then
  return reply('unchanged')
end

release()
if tonumber(backoff) > 0 then
  record.retryAt, record.failure, record.config = deadline(now, backoff), failure, config
  record.failures = digits((record.failures or 0) + 1)
end
write(channel)
return reply('settled')
