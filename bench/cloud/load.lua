-- Load of one measurement for wrk: the requests of the plan by turns, at the end one line of JSON. PLAN names a Lua file that returns
-- { method, headers, paths, body, distinct } (body: a file; distinct: each body begins with its own number), or with `sequence` in place
-- of `paths`: a path with %d for a number that never comes back.
local plan = dofile(os.getenv("PLAN"))
-- wrk makes one request to look at it, which it never sends: the first one that counts is 0.
local requests, body, count = {}, nil, -2

function init(args)
  if plan.body then
    local file = assert(io.open(plan.body, "rb"))
    body = file:read("*a")
    file:close()
  end
  -- Made before the clock starts: the load generator then only sends.
  for index, path in ipairs(plan.paths or {}) do
    local own = body
    if plan.distinct then own = string.format("%016d", index) .. body:sub(17) end
    requests[index] = wrk.format(plan.method, path, plan.headers, own)
  end
end

function request()
  count = count + 1
  if plan.sequence then return wrk.format(plan.method, string.format(plan.sequence, count), plan.headers, body) end
  return requests[count % #requests + 1]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"durationUs":%d,"bytes":%d,"p50Us":%d,"p99Us":%d,"maxUs":%d,"failed":%d,"dropped":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
