-- Releases a live lease of this attempt and this fence, and shares a failure if there was one.
--
-- KEYS[1]  the record
-- ARGV[1]  channel of announcements
-- ARGV[2]  attempt
-- ARGV[3]  fence
-- ARGV[4]  backoff, microseconds; 0 only releases
-- ARGV[5]  what failed
-- ARGV[6]  digest of the configuration that failed; absent for none
-- Kind     'settled' or 'unchanged'

local attempt, settled, backoff = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local holds = owner == attempt and leaseFence == settled and left(leaseUntil, leaseLength) > 0
if not holds then
  kind = 'unchanged'
else
  kind, changed, announced, released = 'settled', true, true, true
  if backoff > 0 then
    retryAt, retryLength, failures, failure, config = now + backoff, backoff, failures + 1, ARGV[5], ARGV[6] or ''
  end
end
