-- GETs of streams, as lines of JSON.
local here = debug.getinfo(1, "S").source:match("@?(.*/)")
dofile(here .. "report.lua")
dofile(here .. "browser-head.lua")
wrk.headers["Accept"] = "application/x-ndjson"
