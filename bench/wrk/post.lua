local here = debug.getinfo(1, "S").source:match("@?(.*/)")
dofile(here .. "report.lua")
dofile(here .. "browser-head.lua")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"note":"' .. string.rep("x", 4096 - 11) .. '"}'
