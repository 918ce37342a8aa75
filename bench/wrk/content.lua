-- POSTs of one content. Arguments: the file that holds it.
local here = debug.getinfo(1, "S").source:match("@?(.*/)")
dofile(here .. "report.lua")
dofile(here .. "browser-head.lua")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json"

function init(args)
  wrk.body = io.open(args[1]):read("*a")
end
