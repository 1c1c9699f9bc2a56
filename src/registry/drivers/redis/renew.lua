-- Renews the leases of any number of instances of one service.
-- KEYS     as in sweep.lua
-- ARGV[1]  lease time, ms
-- ARGV[2…] ids
-- returns the ids that have no lease any more and must be registered again
local ttl = tonumber(ARGV[1])
local gone = {}

for i = 2, #ARGV do
  if redis.call('ZSCORE', leases, ARGV[i]) then
    redis.call('ZADD', leases, 'XX', text(now + ttl), ARGV[i])
  else
    gone[#gone + 1] = ARGV[i]
  end
end
if #gone < #ARGV - 1 then beaten(ttl) end
return gone
