-- What every script begins with: it reads the record and the clock, and says how to write and how to reply.
--
-- KEYS[1]  the record, a hash. Of these fields only `format` and `fence` are in every record:
--
--   format        "<format> <lowest format a reader must know>"
--   fence         the highest fence granted, published or rejected
--   rejectedUpTo  every version up to this one is rejected
--   version publishedBy value renewAt expiresAt quietUntil    what is published: its fence, its attempt, …
--   owner leaseFence leaseUntil takeover                      the lease; stays when it ran out, until it is released or taken over
--   retryAt failure failures config                           the backoff; stays until the next accepted publication
--
-- Times are microseconds. A deadline is "<when> <how far ahead that was when it was set>": nothing is left of one that is further away
-- than that, because the clock went back. Numbers are written by `digits`: Lua's own `..` keeps 14 digits, a fence has 16.
--
-- Reply of every script: 12 strings, see `reply`. A script that refuses replies an error that begins with TOKENWELL and changes nothing.

local FORMAT = 1
local LARGEST = 9007199254740991
-- How long a record is kept when everything in it is over: it still holds fences, rejections, and maybe the secret that renews it.
local KEPT_MS = 90 * 24 * 60 * 60 * 1000

local LEASE = { 'owner', 'leaseFence', 'leaseUntil', 'takeover' }
local BACKOFF = { 'retryAt', 'failure', 'failures', 'config' }
local FIELDS = {
  'format', 'fence', 'rejectedUpTo',
  'version', 'publishedBy', 'value', 'renewAt', 'expiresAt', 'quietUntil',
  'owner', 'leaseFence', 'leaseUntil', 'takeover',
  'retryAt', 'failure', 'failures', 'config',
}

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local record = {}
for index, value in ipairs(redis.call('HMGET', KEYS[1], unpack(FIELDS))) do
  record[FIELDS[index]] = value or nil
end

if record.format then
  local lowest = tonumber(string.match(record.format, '^%d+ (%d+)$'))
  if not lowest or lowest > FORMAT then
    return redis.error_reply('TOKENWELL the record has format "' .. record.format .. '" and this version of @tokenwell/store-redis reads '
      .. 'format ' .. FORMAT .. ': update it on this node, or give it a keyPrefix of its own')
  end
end

local fence = tonumber(record.fence or 0)
local version = tonumber(record.version or 0)
local rejectedUpTo = tonumber(record.rejectedUpTo or 0)

local function digits(number)
  return string.format('%.0f', number)
end

local function deadline(from, length)
  return digits(from + length) .. ' ' .. digits(length)
end

local function left(deadline)
  if not deadline then return 0 end
  local at, length = string.match(deadline, '^(%-?%d+) (%-?%d+)$')
  local ahead = tonumber(at) - now
  if ahead > tonumber(length) then return 0 end
  return ahead
end

local function isAhead(deadline)
  return left(deadline) > 0
end

-- Sets the fields of a flat list of names and values, removes others, and moves the record's end. The only way to write. HSET comes
-- first: it is what Redis refuses when memory is short, and then nothing has changed yet.
local function change(set, removed)
  redis.call('HSET', KEYS[1], 'format', record.format or FORMAT .. ' ' .. FORMAT, unpack(set))
  if #removed > 0 then redis.call('HDEL', KEYS[1], unpack(removed)) end
  for index = 1, #set, 2 do record[set[index]] = set[index + 1] end
  for _, field in ipairs(removed) do record[field] = nil end
  local life = math.max(left(record.expiresAt), left(record.leaseUntil), left(record.retryAt), 0)
  redis.call('PEXPIRE', KEYS[1], digits(math.ceil(life / 1000) + KEPT_MS))
end

-- "<version> <name of the record>". It is a hint: who may not publish to the channel has changed the record all the same.
local function announce(channel)
  redis.pcall('PUBLISH', channel, (record.version or '0') .. ' ' .. KEYS[1])
end

local function reply(kind, granted, takeover)
  local leaseLeft = math.max(left(record.leaseUntil), 0)
  return {
    kind,
    granted or '0',                   -- fence of a grant
    takeover or '0',                  -- 1: the lease before the granted one ran out unreleased
    record.version or '0',            -- 0: nothing was ever published
    record.value or '',
    digits(left(record.renewAt)),     -- microseconds left, here and below
    digits(left(record.expiresAt)),
    record.rejectedUpTo or '0',
    digits(leaseLeft),                -- 0: no live lease
    record.failures or '0',           -- 0: no backoff
    digits(left(record.retryAt)),
    record.failure or '',
  }
end
