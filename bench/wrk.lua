-- What wrk sends, and its report as one line. Arguments: how the tokens go (one, rotate, new), a file with tokens.

local requests = {}
local next_request = 0

-- A line of the file is a token, or a token and its proof.
local function headers(line)
  local token, proof = line:match("^(%S+)\t(%S+)$")
  if proof then
    return { Authorization = "DPoP " .. token, DPoP = proof }
  end
  return { Authorization = "Bearer " .. line }
end

local function formatted(line)
  return wrk.format(nil, nil, headers(line))
end

local function rotate()
  next_request = next_request % #requests + 1
  return requests[next_request]
end

-- Every token is one that nobody has sent before: the first of the file with a counter behind it.
local function new()
  next_request = next_request + 1
  return requests[1] .. next_request .. requests[2]
end

function init(arguments)
  local way = arguments[1]
  local tokens = {}
  for token in io.lines(arguments[2]) do
    tokens[#tokens + 1] = token
  end
  if way == "one" then
    for name, value in pairs(headers(tokens[1])) do
      wrk.headers[name] = value
    end
  elseif way == "rotate" then
    for i, token in ipairs(tokens) do
      requests[i] = formatted(token)
    end
    request = rotate
  elseif way == "new" then
    local whole = formatted(tokens[1])
    local from, to = whole:find(tokens[1], 1, true)
    requests = { whole:sub(1, to), whole:sub(to + 1) }
    request = new
  end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
