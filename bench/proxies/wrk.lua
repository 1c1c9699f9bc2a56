-- The requests of a workload, named by KIND, and its figures as one line of JSON. With DELAY_MS a connection waits before
-- each request, that long in the mean.
local kind = os.getenv('KIND')
local delayMs = tonumber(os.getenv('DELAY_MS') or '0')
local paths = { ['100k'] = '/100k', ['10m'] = '/10m' }

wrk.headers['Host'] = 'web'
wrk.path = paths[kind] or '/'
if kind == 'post' then
  wrk.method = 'POST'
  wrk.body = string.rep('x', 1024)
elseif kind == 'close' then
  wrk.headers['Connection'] = 'close'
elseif kind == 'mixed' or kind == 'soak' then
  -- Of ten requests eight are small, one has a body and one a reply of 100 KB. In a soak one of twenty ends its connection.
  local count = 0
  local small, post, large, last
  request = function()
    if small == nil then
      small = wrk.format()
      post = wrk.format('POST', '/', nil, string.rep('x', 1024))
      large = wrk.format('GET', '/100k')
      last = wrk.format('GET', '/', { Host = 'web', Connection = 'close' })
    end
    count = count + 1
    if count % 10 == 0 then return post end
    if count % 10 == 5 then return large end
    return kind == 'soak' and count % 20 == 3 and last or small
  end
end
if delayMs > 0 then
  delay = function() return math.random(0, 2 * delayMs) end
end

done = function(summary)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"bytes":%d,"seconds":%.6f,"failed":%d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
