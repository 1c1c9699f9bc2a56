-- The service's list, unless the caller has it.
-- KEYS    as in sweep.lua
-- ARGV[1] epoch that the caller knows, '0' for none
-- ARGV[2] version that the caller knows
-- returns { epoch, version, ms until the next lease ends or -1, longest lease in ms }
--         and when it is not what the caller knows: { …, [id, record, …], [ids that deregistered lately] }
--         epoch and version are '0' for a service that the server knows nothing of
local next_lease = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')
local due = next_lease[2] and math.max(0, tonumber(next_lease[2]) - now) or -1
local reply = { epoch or '0', text(version), due, longest }

if reply[1] ~= ARGV[1] or reply[2] ~= ARGV[2] then
  reply[5] = redis.call('HGETALL', instances)
  reply[6] = redis.call('ZRANGE', left, 0, -1)
end
return reply
