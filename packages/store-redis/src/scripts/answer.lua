-- What every script ends with: it stores what has changed, with its end, and replies. Nothing else writes.
--
-- An announcement is "<version> <name of the record>": a hint, and who may not publish to the channel has changed the record all the same.
--
-- Reply  9 strings and numbers, 12 where there is a backoff

-- How long a record is kept when everything in it is over: it still holds fences, rejections, and maybe the secret that renews it.
local KEPT_MS = 90 * 24 * 60 * 60 * 1000

if released then
  owner, leaseFence, leaseUntil, leaseLength, takeover = '', 0, 0, 0, 0
end

local expiresLeft, leaseLeft, retryLeft = left(expiresAt, expiresLength), left(leaseUntil, leaseLength), left(retryAt, retryLength)

if changed then
  local packed = struct.pack(LAYOUT, MAGIC, format, lowest, fence, rejectedUpTo, version,
    renewAt, renewLength, expiresAt, expiresLength, quietUntil, quietLength,
    leaseFence, leaseUntil, leaseLength, retryAt, retryLength, failures, takeover,
    #publishedBy, publishedBy, #owner, owner, #value, value, #failure, failure, #config, config)
  local life = math.max(expiresLeft, leaseLeft, retryLeft, 0)
  redis.call('SET', KEYS[1], packed .. unknown, 'PX', math.ceil(life / 1000) + KEPT_MS)
  if announced then redis.pcall('PUBLISH', ARGV[1], string.format('%.0f ', version) .. KEYS[1]) end
end

local reply = {
  kind,
  leaseFence,
  takeover,
  version,                       -- 0: nothing was ever published
  value,
  left(renewAt, renewLength),    -- microseconds left, here and below
  expiresLeft,
  rejectedUpTo,
  leaseLeft,                     -- not above 0: no live lease
}
-- Each of them costs, and most records have no backoff.
if failures > 0 then
  reply[10], reply[11], reply[12] = failures, retryLeft, failure
end
-- Integers next to the largest that is safe go as text, since ioredis 6 loses their last digit. No other number here is above the fence.
if fence > LARGEST - 48 then
  for _, place in ipairs({ 2, 4, 8 }) do reply[place] = string.format('%.0f', reply[place]) end
end
return reply
