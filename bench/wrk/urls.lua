-- GETs of many URLs. Arguments: a path that the number is put behind; how many there are, asked in turn from a random
-- one on; or "new" and the first number, for URLs never asked before.
local here = debug.getinfo(1, "S").source:match("@?(.*/)")
dofile(here .. "report.lua")
dofile(here .. "browser-head.lua")

local prefix, count, nextUrl
function init(args)
  prefix = args[1]
  if args[2] == "new" then
    nextUrl = tonumber(args[3])
  else
    count = tonumber(args[2])
    math.randomseed(os.time())
    nextUrl = math.random(count)
  end
end

function request()
  nextUrl = nextUrl + 1
  local number = count and nextUrl % count or nextUrl
  return wrk.format("GET", prefix .. string.format("%d", number))
end
