-- Writes a record and starts its lease; an equal record only renews.
-- KEYS    as in sweep.lua
-- ARGV[1] id
-- ARGV[2] record (JSON)
-- ARGV[3] lease time, ms
-- returns the service's version
local id, record, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])

redis.call('ZADD', leases, text(now + ttl), id)
redis.call('ZREM', left, id)
if redis.call('HGET', instances, id) ~= record then
  redis.call('HSET', instances, id, record)
  announce({ set = { [id] = record } })
end
beaten(ttl)
return text(version)
