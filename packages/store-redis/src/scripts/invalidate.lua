-- Rejects a version, and with it what a fetch in flight may bring: that may be the same dead value.
--
-- KEYS[1]  the record
-- ARGV[1]  channel of announcements
-- ARGV[2]  version
-- Reply    as every script's; the kind is 'invalidated' or 'unchanged'

local channel, dead = ARGV[1], tonumber(ARGV[2])

local vouchedFor = dead == version and left(record.quietUntil) > 0
if dead < version or vouchedFor or dead <= rejectedUpTo then
  return reply('unchanged')
end

local rejected = digits(math.max(dead, fence))
record.fence, record.rejectedUpTo = rejected, rejected
write(channel)
return reply('invalidated')
