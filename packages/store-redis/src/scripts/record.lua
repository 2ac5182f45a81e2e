-- What every script begins with: it reads the record and the clock. The operation that follows sets `kind` and what it changes; then
-- answer.lua writes and replies. That is no function to call: one that refers to so many locals costs more than a command, in each run.
--
-- KEYS[1]  the record: one string, packed by `struct` as LAYOUT says, in this order:
--
--   'tokenwell', format, lowest format a reader must know
--   fence                                     the highest fence granted, published or rejected
--   rejectedUpTo                              every version up to this one is rejected
--   version renewAt expiresAt quietUntil      what is published: its fence and its deadlines
--   leaseFence leaseUntil                     the lease; stays when it ran out, until it is released or taken over
--   retryAt failures                          the backoff; stays until the next accepted publication
--   takeover                                  1: the lease before this one ran out unreleased
--   publishedBy owner value failure config    attempts, what is published, what failed and by which configuration: texts, each after its length
--   and what only readers of a higher format know, which is written back as it was
--
-- Times are microseconds. A deadline is two numbers: when, and how far ahead that was when it was set. Numbers are doubles: a fence has
-- 16 digits. 0 and '' stand for what is not there: no fence is 0, no attempt is empty, and an empty configuration is none.
--
-- One string, since it is read and written whole: a hash takes three commands to write, and each costs more than what it does. Packed,
-- since JSON and the digits of numbers cost as much as all else that a script does.
--
-- A script that refuses replies an error that begins with TOKENWELL and changes nothing.

local MAGIC = 'tokenwell'
local FORMAT = 1
local LAYOUT = '>c9BB ddd dd dd dd d dd dd d d I4c0I4c0I4c0I4c0I4c0'
local LARGEST = 9007199254740991

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local format, lowest = FORMAT, FORMAT
local fence, rejectedUpTo, version, leaseFence, failures, takeover = 0, 0, 0, 0, 0, 0
local renewAt, expiresAt, quietUntil, leaseUntil, retryAt = 0, 0, 0, 0, 0
local renewLength, expiresLength, quietLength, leaseLength, retryLength = 0, 0, 0, 0, 0
local publishedBy, owner, value, failure, config, unknown = '', '', '', '', '', ''

local stored = redis.pcall('GET', KEYS[1])
if stored then
  local isPacked, magic, after
  isPacked, magic, format, lowest, fence, rejectedUpTo, version,
    renewAt, renewLength, expiresAt, expiresLength, quietUntil, quietLength,
    leaseFence, leaseUntil, leaseLength, retryAt, retryLength, failures, takeover,
    publishedBy, owner, value, failure, config, after = pcall(struct.unpack, LAYOUT, stored)
  if not isPacked or magic ~= MAGIC or lowest > FORMAT then
    local isText = type(stored) == 'string'
    if not isText and not string.find(stored.err, 'WRONGTYPE', 1, true) then return stored end
    if isText and string.find(stored, '^' .. MAGIC .. '..') and string.byte(stored, 11) > FORMAT then
      return redis.error_reply('TOKENWELL the record has format ' .. string.byte(stored, 10) .. ', which takes a reader of format '
        .. string.byte(stored, 11) .. ', and this version of @tokenwell/store-redis reads format ' .. FORMAT .. ': update it on this '
        .. 'node, or give it a keyPrefix of its own')
    end
    return redis.error_reply('TOKENWELL ' .. KEYS[1] .. ' was not written by @tokenwell/store-redis: give the store a keyPrefix of its '
      .. 'own, or remove it if nothing needs it')
  end
  unknown = string.sub(stored, after)
end

-- Microseconds left. Nothing is left of a deadline that is further away than it was when it was set, because the clock went back.
local function left(at, length)
  local ahead = at - now
  if at == 0 or ahead > length then return 0 end
  return ahead
end

-- What became of the operation; whether there is something to store, and to announce on the channel that is ARGV[1]; whether the lease ends.
local kind, changed, announced, released
