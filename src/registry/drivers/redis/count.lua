-- Counts the instances of a service.
-- KEYS    as in sweep.lua
-- returns their number
return redis.call('HLEN', instances)
