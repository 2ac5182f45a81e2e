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
-- Kind     'accepted', 'superseded' or 'refused'

local attempt, published, renewIn, expiresIn = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6])
local basedOn, quiet, maxAhead = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

local isOwner = owner == attempt

-- Delivered before. Not one field may change: the value may have been rejected since.
if publishedBy == attempt then
  kind = 'accepted'
elseif (basedOn and version > basedOn) or published <= version then
  kind, changed, released = 'superseded', isOwner, isOwner
elseif maxAhead and published - now > maxAhead then
  kind = 'refused'
else
  kind, changed, announced, released = 'accepted', true, true, isOwner
  version, publishedBy, value = published, attempt, ARGV[4]
  fence = math.max(fence, version)
  -- From the grant, not from the arrival: a publication can have waited in a queue.
  local from = math.min(now, published)
  renewAt, renewLength, expiresAt, expiresLength = from + renewIn, renewIn, from + expiresIn, expiresIn
  quietUntil, quietLength = quiet and now + quiet or 0, quiet or 0
  retryAt, retryLength, failures, failure, config = 0, 0, 0, '', ''
end
