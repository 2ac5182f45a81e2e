-- Grants the lease, if the record is stale and nothing stands against it.
--
-- KEYS[1]  the record
-- ARGV[1]  attempt
-- ARGV[2]  length of the lease, microseconds
-- ARGV[3]  highest version the caller has seen
-- ARGV[4]  highest version the caller knows to be rejected
-- ARGV[5]  digest of the caller's configuration; absent for none
-- Kind     'granted', 'fresh', 'backoff' or 'held'

local attempt, length, digest = ARGV[1], tonumber(ARGV[2]), ARGV[5]
local seen, rejected = tonumber(ARGV[3]), tonumber(ARGV[4])

local leased = left(leaseUntil, leaseLength) > 0
local concerned = config == '' or not digest or config == digest

if leased and owner == attempt then
  kind = 'granted'
elseif left(renewAt, renewLength) > 0 and version >= seen and version > math.max(rejectedUpTo, rejected) then
  kind = 'fresh'
elseif left(retryAt, retryLength) > 0 and concerned then
  kind = 'backoff'
elseif leased then
  kind = 'held'
else
  local granted = math.max(math.max(fence, seen, rejected) + 1, now)
  if granted > LARGEST then
    return redis.error_reply(string.format('TOKENWELL the fence to grant, %.0f, is no safe integer', granted))
  end
  kind, changed = 'granted', true
  takeover = owner == '' and 0 or 1
  fence, owner, leaseFence, leaseUntil, leaseLength = granted, attempt, granted, now + length, length
end
