-- Calls with bearer tokens. Arguments: a file with one token for each subject, a file of newer ones, and "zipf" or
-- "each". "zipf": subjects drawn by Zipf's law (s = 1), and each second one subject in a hundred has a new token.
-- "each": every subject once in turn, so that a gateway may come to know the tokens it will see.
local here = debug.getinfo(1, "S").source:match("@?(.*/)")
dofile(here .. "report.lua")
dofile(here .. "browser-head.lua")

local requests, fresh, draws = {}, {}, {}
local mode, nextFresh, nextDraw, now, untilLook = "zipf", 1, 0, 0, 0
local drawCount = 65536

local function lines(path)
  local found = {}
  for line in io.lines(path) do found[#found + 1] = line end
  return found
end

local function calling(token)
  wrk.headers["Authorization"] = "Bearer " .. token
  return wrk.format("GET", nil)
end

function init(args)
  mode = args[3] or "zipf"
  for i, token in ipairs(lines(args[1])) do requests[i] = calling(token) end
  for i, token in ipairs(lines(args[2])) do fresh[i] = calling(token) end
  -- A table of draws made beforehand keeps the client cheap: one look-up for each request.
  math.randomseed(42)
  local sum, upTo = 0, {}
  for i = 1, #requests do
    sum = sum + 1 / i
    upTo[i] = sum
  end
  for d = 1, drawCount do
    local point, low, high = math.random() * sum, 1, #requests
    while low < high do
      local middle = math.floor((low + high) / 2)
      if upTo[middle] < point then low = middle + 1 else high = middle end
    end
    draws[d] = low
  end
  nextDraw = math.random(drawCount)
  now = os.time()
end

local function renew()
  for _ = 1, #requests / 100 do
    if nextFresh > #fresh then return end
    requests[math.random(#requests)] = fresh[nextFresh]
    nextFresh = nextFresh + 1
  end
end

function request()
  if mode == "each" then
    nextDraw = nextDraw % #requests + 1
    return requests[nextDraw]
  end
  untilLook = untilLook - 1
  if untilLook <= 0 then
    untilLook = 500
    local time = os.time()
    if time ~= now then
      now = time
      renew()
    end
  end
  nextDraw = nextDraw % drawCount + 1
  return requests[draws[nextDraw]]
end
