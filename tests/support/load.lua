-- For wrk: about twenty requests a second, and a line for every version that answers for the first time.
local seen = {}
local troubles = 0
io.stdout:setvbuf("no")

function setup(thread)
  thread:set("id", 1)
end

function delay()
  return 100
end

function response(status, headers, body)
  local answer = status == 200 and string.match(body, '"version": *"([^"]+)"') or "status " .. status
  if status ~= 200 and troubles < 200 then
    troubles = troubles + 1
    io.write("trouble ", os.date("!%H:%M:%S"), " status ", status, "\n")
  end
  if answer and not seen[answer] then
    seen[answer] = true
    io.write("seen ", answer, "\n")
  end
end

function done(summary)
  local e = summary.errors
  io.write(string.format("requests %d failed %d\n", summary.requests, e.connect + e.read + e.write + e.status + e.timeout))
end
