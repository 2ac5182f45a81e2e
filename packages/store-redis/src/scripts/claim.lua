-- Grants the lease, if the record is stale and nothing stands against it.
--
-- KEYS[1]  the record
-- ARGV[1]  attempt
-- ARGV[2]  length of the lease, microseconds
-- ARGV[3]  highest version the caller has seen
-- ARGV[4]  highest version the caller knows to be rejected
-- ARGV[5]  digest of the caller's configuration; absent for none
-- Reply    as every script's; the kind is 'granted', 'fresh', 'backoff' or 'held'

local attempt, length, config = ARGV[1], ARGV[2], ARGV[5]
local seen, rejected = tonumber(ARGV[3]), tonumber(ARGV[4])

local leased = left(record.leaseUntil) > 0
if leased and record.owner == attempt then
  return reply('granted', record.leaseFence, record.takeover)
end

if left(record.renewAt) > 0 and version >= seen and version > math.max(rejectedUpTo, rejected) then
  return reply('fresh')
end

local concerned = not record.config or not config or record.config == config
if left(record.retryAt) > 0 and concerned then
  return reply('backoff')
end

if leased then
  return reply('held')
end

local granted = math.max(math.max(fence, seen, rejected) + 1, now)
if granted > LARGEST then
  return redis.error_reply('TOKENWELL the fence to grant, ' .. digits(granted) .. ', is no safe integer')
end
record.takeover = record.owner and '1' or '0'
record.fence = digits(granted)
record.owner, record.leaseFence, record.leaseUntil = attempt, record.fence, deadline(now, length)
write()
return reply('granted', record.leaseFence, record.takeover)
