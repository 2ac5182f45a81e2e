-- What every script begins with: it reads the record and the clock, and says how to write and how to reply.
--
-- KEYS[1]  the record: JSON, an object of strings. Of these only `format` and `fence` are in every record:
--
--   format        "<format> <lowest format a reader must know>"
--   fence         the highest fence granted, published or rejected
--   rejectedUpTo  every version up to this one is rejected
--   version publishedBy value renewAt expiresAt quietUntil    what is published: its fence, its attempt, …
--   owner leaseFence leaseUntil takeover                      the lease; stays when it ran out, until it is released or taken over
--   retryAt failure failures config                           the backoff; stays until the next accepted publication
--
-- One string, since it is read and written whole: a hash takes three commands to write, and each costs more than what it does.
--
-- Times are microseconds. A deadline is "<when> <how far ahead that was when it was set>": nothing is left of one that is further away
-- than that, because the clock went back. Numbers are written by `digits`: Lua's own `..` keeps 14 digits, as its JSON does, a fence has 16.
--
-- Reply of every script: 9 strings and numbers, 12 where there is a backoff; see `reply`. A script that refuses replies an error that
-- begins with TOKENWELL and changes nothing.

local FORMAT = 1
-- What is written in this format, whose readers must know no lower one.
local WRITTEN = '1 1'
local LARGEST = 9007199254740991
-- How long a record is kept when everything in it is over: it still holds fences, rejections, and maybe the secret that renews it.
local KEPT_MS = 90 * 24 * 60 * 60 * 1000

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local stored = redis.pcall('GET', KEYS[1])
local isOfAnotherType = type(stored) == 'table' and string.find(stored.err, 'WRONGTYPE', 1, true)
if type(stored) == 'table' and not isOfAnotherType then return stored end
local record = {}
if stored then
  local isJson, read = pcall(cjson.decode, stored)
  local format = isJson and type(read) == 'table' and read.format
  local lowest = format == WRITTEN and FORMAT or type(format) == 'string' and string.match(format, '^%d+ (%d+)$')
  if not lowest then
    return redis.error_reply('TOKENWELL ' .. KEYS[1] .. ' was not written by @tokenwell/store-redis: give the store a keyPrefix of its '
      .. 'own, or remove it if nothing needs it')
  end
  if tonumber(lowest) > FORMAT then
    return redis.error_reply('TOKENWELL the record has format "' .. format .. '" and this version of @tokenwell/store-redis reads '
      .. 'format ' .. FORMAT .. ': update it on this node, or give it a keyPrefix of its own')
  end
  record = read
end

local fence = tonumber(record.fence or 0)
local version = tonumber(record.version or 0)
local rejectedUpTo = tonumber(record.rejectedUpTo or 0)

local function digits(number)
  return string.format('%.0f', number)
end

-- Microseconds left, by deadline: each is read once.
local known = {}

-- `length` is text, as it came.
local function deadline(from, length)
  local at = from + length
  local text = digits(at) .. ' ' .. length
  known[text] = at - now
  return text
end

local function left(deadline)
  if not deadline then return 0 end
  if known[deadline] then return known[deadline] end
  local at, length = string.match(deadline, '^(%S+) (%S+)$')
  local ahead = at - now
  if ahead > tonumber(length) then ahead = 0 end
  known[deadline] = ahead
  return ahead
end

local function release()
  record.owner, record.leaseFence, record.leaseUntil, record.takeover = nil, nil, nil, nil
end

-- Stores what `record` has come to be, and moves its end. The only way to write. Told of a channel, it announces "<version> <name of the
-- record>" there: a hint, and who may not publish to the channel has changed the record all the same.
local function write(channel)
  record.format = record.format or WRITTEN
  local life = math.max(left(record.expiresAt), left(record.leaseUntil), left(record.retryAt), 0)
  redis.call('SET', KEYS[1], cjson.encode(record), 'PX', digits(math.ceil(life / 1000) + KEPT_MS))
  if channel then redis.pcall('PUBLISH', channel, (record.version or '0') .. ' ' .. KEYS[1]) end
end

local function reply(kind, granted, takeover)
  local replied = {
    kind,
    granted or 0,                     -- fence of a grant
    takeover or 0,                    -- 1: the lease before the granted one ran out unreleased
    record.version or 0,              -- 0: nothing was ever published
    record.value or '',
    left(record.renewAt),             -- microseconds left, here and below
    left(record.expiresAt),
    record.rejectedUpTo or 0,
    left(record.leaseUntil),          -- not above 0: no live lease
  }
  -- Each of them costs, and most records have no backoff.
  if record.retryAt then
    replied[10], replied[11], replied[12] = record.failures, left(record.retryAt), record.failure
  end
  return replied
end
