-- Rejects a version, and with it what a fetch in flight may bring: that may be the same dead value.
--
-- KEYS[1]  the record
-- ARGV[1]  channel of announcements
-- ARGV[2]  version
-- Kind     'invalidated' or 'unchanged'

local dead = tonumber(ARGV[2])

local vouchedFor = dead == version and left(quietUntil, quietLength) > 0
if dead < version or vouchedFor or dead <= rejectedUpTo then
  kind = 'unchanged'
else
  kind, changed, announced = 'invalidated', true, true
  rejectedUpTo = math.max(dead, fence)
  fence = rejectedUpTo
end
