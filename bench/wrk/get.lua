local here = debug.getinfo(1, "S").source:match("@?(.*/)")
dofile(here .. "report.lua")
dofile(here .. "browser-head.lua")
