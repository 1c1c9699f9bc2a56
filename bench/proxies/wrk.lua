-- The requests of a workload, named by KIND, and its figures as one line of JSON.
local kind = os.getenv('KIND')
local paths = { ['100k'] = '/100k', ['10m'] = '/10m' }

wrk.headers['Host'] = 'web'
wrk.path = paths[kind] or '/'
if kind == 'post' then
  wrk.method = 'POST'
  wrk.body = string.rep('x', 1024)
elseif kind == 'close' then
  wrk.headers['Connection'] = 'close'
elseif kind == 'mixed' then
  -- Of ten requests eight are small, one has a body and one a reply of 100 KB.
  local count = 0
  local requests
  request = function()
    requests = requests
      or { wrk.format(), wrk.format('POST', '/', nil, string.rep('x', 1024)), wrk.format('GET', '/100k') }
    count = count + 1
    return requests[count % 10 == 0 and 2 or count % 10 == 5 and 3 or 1]
  end
end

done = function(summary)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"bytes":%d,"seconds":%.6f,"failed":%d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
