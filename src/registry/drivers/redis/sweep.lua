-- Prologue of every script: reads the service's state, ends overdue leases, and has the functions that the scripts share.
--
-- KEYS[1] HASH     instances: id -> record (JSON)
-- KEYS[2] ZSET     leases: id -> deadline, ms of the server's clock
-- KEYS[3] HASH     meta: e epoch (text, made when the hash is made), v version (µs), t last touch (ms),
--                  g longest lease seen (ms), r "1" while an outage has been made good and no timely beat came since
-- KEYS[4] ZSET     left: id -> ms when it deregistered itself; the last few minutes
-- KEYS[5] channel  changes, as JSON: {"e","v","pv"} with "set" {id: record} or "del" [id] and "why" "left"|"expired",
--                  or with neither: the list must be read
--
-- PUBLISH is a local of the line before: the command that publishes, which is SPUBLISH in a cluster.
-- All time is the server's own (TIME): the agents' clocks do not matter.
local instances, leases, meta, left, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

-- A message has a bounded size, and a script a bounded time: the rest is for the next call.
local BATCH = 100
local BATCHES = 10
local LEASE_DEFAULT = 10000
local EMPTY_KEPT = 3600000
local ABANDONED_KEPT = 86400000

-- tostring would round: it prints 14 digits.
local function text(number)
  return string.format('%.0f', number)
end

local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(now_us / 1000)

local stored = redis.call('HMGET', meta, 'e', 'v', 't', 'g', 'r')
local epoch = stored[1]
local version = tonumber(stored[2] or 0) or 0
local touched = tonumber(stored[3] or 0) or 0
local longest = tonumber(stored[4] or 0) or 0
local lease = longest > 0 and longest or LEASE_DEFAULT
local rebased = stored[5] == '1'

-- A live service is touched every third of a lease. Silence of half a lease means that nobody could reach the server.
local idle = touched > 0 and now - touched or 0
local timely = math.abs(idle) <= lease / 2

local function found_epoch()
  if epoch then return end
  epoch = text(now_us)
  redis.call('HSET', meta, 'e', epoch)
end

-- Versions follow the clock so that they rise even when the data was lost in between.
local function announce(change)
  found_epoch()
  change.e, change.pv = epoch, text(version)
  version = math.max(version + 1, now_us)
  change.v = text(version)
  redis.call('HSET', meta, 'v', change.v)
  redis.call(PUBLISH, channel, cjson.encode(change))
end

local function note_if_empty()
  if redis.call('EXISTS', instances) == 0 then redis.call('PEXPIRE', meta, EMPTY_KEPT) end
end

-- After a beat: the lease length is known, the service is alive, its keys live on.
local function beaten(ttl)
  found_epoch()
  if ttl > longest then
    longest = ttl
    redis.call('HSET', meta, 'g', text(longest))
  end
  redis.call('HSET', meta, 't', text(now))
  if rebased and timely then redis.call('HDEL', meta, 'r') end
  local kept = math.max(ABANDONED_KEPT, 2 * longest)
  if redis.call('PTTL', meta) < kept / 2 then
    for _, key in ipairs({ instances, leases, meta }) do redis.call('PEXPIRE', key, kept) end
  end
end

-- Records, leases and meta disagree only when another program wrote or removed some of them.
local function reconcile()
  local records = redis.call('HLEN', instances)
  if records == redis.call('ZCARD', leases) and (epoch or records == 0) then return end
  local deadline = text(now + lease)
  for _, id in ipairs(redis.call('HKEYS', instances)) do
    redis.call('ZADD', leases, 'NX', deadline, id)
  end
  for _, id in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
    if redis.call('HEXISTS', instances, id) == 0 then redis.call('ZREM', leases, id) end
  end
  announce({})
  note_if_empty()
end

-- Nobody could renew while the server was away or its clock jumped: every lease starts anew, once.
local function rebase()
  local deadline = text(now + lease)
  for _, id in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
    redis.call('ZADD', leases, 'XX', deadline, id)
  end
  redis.call('HSET', meta, 'r', '1')
end

local function sweep()
  reconcile()
  if not epoch then return end
  -- A clock set back would keep the dead for as long as it was set back, so that is made good each time.
  if not timely and (idle < 0 or not rebased) then rebase() end
  if idle < 0 or idle > lease / 16 then redis.call('HSET', meta, 't', text(now)) end

  for _ = 1, BATCHES do
    local overdue = redis.call('ZRANGEBYSCORE', leases, '-inf', text(now), 'LIMIT', 0, BATCH)
    if #overdue == 0 then return end
    redis.call('ZREM', leases, unpack(overdue))
    redis.call('HDEL', instances, unpack(overdue))
    announce({ del = overdue, why = 'expired' })
    note_if_empty()
  end
end

sweep()
