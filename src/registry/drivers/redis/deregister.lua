-- Removes an instance that leaves by itself, and notes that it did.
-- KEYS    as in sweep.lua
-- ARGV[1] id
-- returns the number of instances that remain
local LEFT_KEPT = 300000
local LEFT_MAX = 1000
local id = ARGV[1]

if redis.call('HDEL', instances, id) == 1 then
  redis.call('ZREM', leases, id)
  redis.call('ZREMRANGEBYSCORE', left, '-inf', text(now - LEFT_KEPT))
  redis.call('ZADD', left, text(now), id)
  redis.call('ZREMRANGEBYRANK', left, 0, -LEFT_MAX - 1)
  redis.call('PEXPIRE', left, LEFT_KEPT)
  announce({ del = { id }, why = 'left' })
  note_if_empty()
end
return redis.call('HLEN', instances)
