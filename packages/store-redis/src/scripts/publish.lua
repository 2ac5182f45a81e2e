-- Stores a value, if it is newer than the stored one. The lease need not be held any more.
--
-- KEYS[1]  the record
-- ARGV[1]  channel of announcements
-- ARGV[2]  attempt
-- ARGV[3]  fence
-- ARGV[4]  value
-- ARGV[5]  time to renewal, microseconds
-- ARGV[6]  time to the end, microseconds
-- ARGV[7]  version the value was derived from; empty for none, absent with the other two
-- ARGV[8]  quiet time, microseconds; empty for none
-- ARGV[9]  how far ahead of the clock the fence may be, microseconds; empty for any
-- Reply    as every script's; the kind is 'accepted', 'superseded' or 'refused'

local channel, attempt, published, value = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local renewIn, expiresIn, quiet = ARGV[5], ARGV[6], ARGV[8] ~= '' and ARGV[8]
local basedOn, maxAhead = tonumber(ARGV[7]), tonumber(ARGV[9])

-- Delivered before. Not one field may change: the value may have been rejected since.
if record.publishedBy == attempt then
  return reply('accepted')
end

local isOwner = record.owner == attempt
if (basedOn and version > basedOn) or published <= version then
  if isOwner then
    release()
    write()
  end
  return reply('superseded')
end

if maxAhead and published - now > maxAhead then
  return reply('refused')
end

-- From the grant, not from the arrival: a publication can have waited in a queue.
local from = math.min(now, published)
record.version = ARGV[3]
if published > fence then record.fence = record.version end
record.publishedBy, record.value = attempt, value
record.renewAt, record.expiresAt = deadline(from, renewIn), deadline(from, expiresIn)
record.quietUntil = quiet and deadline(now, quiet) or nil
if record.retryAt then record.retryAt, record.failure, record.failures, record.config = nil, nil, nil, nil end
if isOwner then release() end
write(channel)
return reply('accepted')
