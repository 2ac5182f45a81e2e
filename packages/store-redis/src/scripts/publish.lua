-- Stores a value, if it is newer than the stored one. The lease need not be held any more.
--
-- KEYS[1]  the record
-- ARGV[1]  channel of announcements
-- ARGV[2]  attempt
-- ARGV[3]  fence
-- ARGV[4]  value
-- ARGV[5]  time to renewal, microseconds
-- ARGV[6]  time to the end, microseconds
-- ARGV[7]  version the value was derived from; empty for none
-- ARGV[8]  quiet time, microseconds; empty for none
-- ARGV[9]  how far ahead of the clock the fence may be, microseconds; empty for any
-- Reply    as every script's; the kind is 'accepted', 'superseded' or 'refused'

local channel, attempt, published, value = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local renewIn, expiresIn = tonumber(ARGV[5]), tonumber(ARGV[6])
local basedOn, quiet, maxAhead = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

-- Delivered before. Not one field may change: the value may have been rejected since.
if record.publishedBy == attempt then
  return reply('accepted')
end

local isOwner = record.owner == attempt
if (basedOn and version > basedOn) or published <= version then
  if isOwner then change({}, LEASE) end
  return reply('superseded')
end

if maxAhead and published - now > maxAhead then
  return reply('refused')
end

local removed = { unpack(BACKOFF) }
if isOwner then
  for _, field in ipairs(LEASE) do table.insert(removed, field) end
end
-- From the grant, not from the arrival: a publication can have waited in a queue.
local from = math.min(now, published)
local set = {
  'fence', digits(math.max(fence, published)),
  'version', digits(published), 'publishedBy', attempt, 'value', value,
  'renewAt', deadline(from, renewIn), 'expiresAt', deadline(from, expiresIn),
}
if quiet then
  table.insert(set, 'quietUntil')
  table.insert(set, deadline(now, quiet))
else
  table.insert(removed, 'quietUntil')
end
change(set, removed)
announce(channel)
return reply('accepted')
