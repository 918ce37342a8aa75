/**
 * The algorithms of `limits/` in Lua, for budgets that a fleet shares. Numbers are whole and below 2^53, as there; the
 * differential test holds the two together. Each has, over a state `s` of up to three numbers and parameters `p`:
 *
 * - `advance(s, p, now)`: to the present; - `most(s, p, now, cost)`: how many such requests fit;
 * - `retry(s, p, now, cost)`: ms until one fits, -1 for never; - `take`, `give`: of units;
 * - `read(s, p, now)`: remaining, ms to a unit, ms to whole; - `delay`: ms that what is taken next has to wait;
 * - `used`, `resume`: what is carried over to another edition of the limit.
 */
export const budgetAlgorithms = `
local floor, ceil, min, max, huge = math.floor, math.ceil, math.min, math.max, math.huge
local jump = 60000
local A = {}

-- Token bucket and meter (GCRA): s1 ms at which it is whole, s2 rest in 1/units ms. p: capacity, units, period.
local function debt(s, p, now)
  local ms = s[1] - now
  if ms < 0 then return 0 end
  return ms * p[2] + s[2]
end
local function put(s, p, now, d)
  local ms = floor(d / p[2])
  s[1] = now + ms
  s[2] = d - ms * p[2]
end
A[1] = {
  advance = function(s, p, now)
    local whole = p[1] * p[3]
    if s[1] - now > 2 * ceil(whole / p[2]) + jump then s[1] = now + ceil(whole / p[2]) s[2] = 0 end
  end,
  most = function(s, p, now, cost) return floor((p[1] * p[3] - debt(s, p, now)) / (cost * p[3])) end,
  retry = function(s, p, now, cost)
    if cost > p[1] then return -1 end
    local missing = debt(s, p, now) + cost * p[3] - p[1] * p[3]
    if missing <= 0 then return 0 end
    return ceil(missing / p[2])
  end,
  take = function(s, p, now, n) put(s, p, now, min(debt(s, p, now) + n * p[3], 2 * p[1] * p[3])) end,
  give = function(s, p, now, n) put(s, p, now, max(0, debt(s, p, now) - n * p[3])) end,
  read = function(s, p, now)
    local d = debt(s, p, now)
    local left = p[1] * p[3] - d
    local unit = 0
    if left < p[3] then unit = ceil((p[3] - left) / p[2]) end
    return max(0, floor(left / p[3])), unit, ceil(d / p[2])
  end,
  delay = function() return 0 end,
  whole = function(s) return s[1] + 1 end,
  used = function(s, p, now) return debt(s, p, now) / p[3] end,
  resume = function(s, p, now, used) put(s, p, now, min(ceil(used * p[3]), p[1] * p[3])) end,
}

-- Leaky bucket as a queue: s1, s2 the next free departure. p: places, units, period.
A[2] = {
  advance = function(s, p, now)
    local longest = p[1] * p[3]
    if s[1] - now > 3 * ceil(longest / p[2]) + jump then s[1] = now + ceil(longest / p[2]) s[2] = 0 end
  end,
  most = function(s, p, now, cost)
    local left = p[1] * p[3] - debt(s, p, now)
    if left < 0 then return 0 end
    return floor(left / (cost * p[3])) + 1
  end,
  retry = function(s, p, now, cost)
    if cost > p[1] then return -1 end
    if cost == 0 then return 0 end
    local excess = debt(s, p, now) - p[1] * p[3]
    if excess <= 0 then return 0 end
    return ceil(excess / p[2])
  end,
  take = function(s, p, now, n) if n > 0 then put(s, p, now, min(debt(s, p, now) + n * p[3], 3 * p[1] * p[3])) end end,
  give = A[1].give,
  read = function(s, p, now)
    local wait = debt(s, p, now)
    local left = p[1] * p[3] - wait
    if left < 0 then return 0, ceil(-left / p[2]), ceil(wait / p[2]) end
    return floor(left / p[3]) + 1, 0, ceil(wait / p[2])
  end,
  delay = function(s, p, now, cost) if cost == 0 then return 0 end return ceil(debt(s, p, now) / p[2]) end,
  whole = A[1].whole,
  used = A[1].used,
  resume = function(s, p, now, used) put(s, p, now, min(ceil(used * p[3]), p[1] * p[3] + p[3])) end,
}

-- Fixed window: s1 its start, s2 used. p: limit, window, aligned.
local function fixedStart(p, now) if p[3] == 1 then return floor(now / p[2]) * p[2] end return now end
A[3] = {
  advance = function(s, p, now)
    if now >= s[1] + p[2] then s[2] = 0
    elseif s[1] - now > jump then s[1] = fixedStart(p, now) end
    if s[2] == 0 and now >= s[1] then s[1] = fixedStart(p, now) end
  end,
  most = function(s, p, now, cost) return floor((p[1] - s[2]) / cost) end,
  retry = function(s, p, now, cost)
    if cost > p[1] then return -1 end
    if cost == 0 or s[2] + cost <= p[1] then return 0 end
    return s[1] + p[2] - now
  end,
  take = function(s, p, now, n) s[2] = min(s[2] + n, 2 * p[1]) end,
  give = function(s, p, now, n) s[2] = max(0, s[2] - n) end,
  read = function(s, p, now)
    local ends = s[1] + p[2] - now
    local unit, reset = 0, 0
    if s[2] >= p[1] then unit = ends end
    if s[2] > 0 then reset = ends end
    return max(0, p[1] - s[2]), unit, reset
  end,
  delay = A[1].delay,
  whole = function(s, p) return s[1] + p[2] end,
  used = function(s) return s[2] end,
  resume = function(s, p, now, used) s[1] = fixedStart(p, now) s[2] = min(ceil(used), p[1]) end,
}

-- Sliding window: s1 start of the current one, s2 used before, s3 used in it. p: limit, window.
local function slidingUsed(s, p, now) return s[3] + s[2] * (p[2] - max(0, now - s[1])) / p[2] end
A[4] = {
  advance = function(s, p, now)
    local start = floor(now / p[2]) * p[2]
    if s[1] < start then
      if s[1] + p[2] == start then s[2] = s[3] else s[2] = 0 end
      s[3] = 0
      s[1] = start
    elseif s[1] > start and s[1] - now > jump then s[1] = start end
  end,
  most = function(s, p, now, cost)
    local free = p[1] * p[2] - s[2] * (p[2] - max(0, now - s[1])) - s[3] * p[2]
    return floor(free / (cost * p[2]))
  end,
  retry = function(s, p, now, cost)
    local limit, w, prev, cur = p[1], p[2], s[2], s[3]
    if cost > limit then return -1 end
    if cost == 0 then return 0 end
    if prev * (w - max(0, now - s[1])) + (cur + cost) * w <= limit * w then return 0 end
    local pass
    if cur + cost <= limit then pass = w - floor((limit - cur - cost) * w / prev)
    else pass = max(2 * w - floor((limit - cost) * w / cur), w) end
    return pass + s[1] - now
  end,
  take = function(s, p, now, n) s[3] = min(s[3] + n, 2 * p[1]) end,
  give = function(s, p, now, n)
    local current = min(n, s[3])
    s[3] = s[3] - current
    s[2] = max(0, s[2] - (n - current))
  end,
  read = function(s, p, now)
    local remaining = max(0, p[1] - ceil(slidingUsed(s, p, now)))
    local unit, ends = 0, now
    if remaining == 0 then unit = A[4].retry(s, p, now, 1) end
    if s[3] > 0 then ends = s[1] + 2 * p[2] elseif s[2] > 0 then ends = s[1] + p[2] end
    return remaining, unit, max(0, ends - now)
  end,
  delay = A[1].delay,
  whole = function(s, p) return s[1] + 2 * p[2] end,
  used = slidingUsed,
  resume = function(s, p, now, used) s[1] = floor(now / p[2]) * p[2] s[2] = 0 s[3] = min(ceil(used), p[1]) end,
}

-- Calendar quota, UTC: s1 start of the period, s2 used. p: limit, 0 day or 1 month.
local day = 86400000
local function daysOf(y, m)
  if m <= 2 then y = y - 1 end
  local era = floor(y / 400)
  local yoe = y - era * 400
  local doy = floor((153 * ((m + 9) % 12) + 2) / 5)
  return era * 146097 + yoe * 365 + floor(yoe / 4) - floor(yoe / 100) + doy - 719468
end
local function period(p, now)
  local days = floor(now / day)
  if p[2] == 0 then return days * day, (days + 1) * day end
  local z = days + 719468
  local era = floor(z / 146097)
  local doe = z - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  local m = mp < 10 and mp + 3 or mp - 9
  local y = yoe + era * 400
  if m <= 2 then y = y + 1 end
  local ny, nm = y, m + 1
  if nm == 13 then ny, nm = y + 1, 1 end
  return daysOf(y, m) * day, daysOf(ny, nm) * day
end
local function ending(s, p) local _, e = period(p, s[1]) return e end
A[5] = {
  advance = function(s, p, now)
    local start = period(p, now)
    if s[1] < start then s[1] = start s[2] = 0
    elseif s[1] > start and s[1] - now > jump then s[1] = start end
  end,
  most = A[3].most,
  retry = function(s, p, now, cost)
    if cost > p[1] then return -1 end
    if cost == 0 or s[2] + cost <= p[1] then return 0 end
    return ending(s, p) - now
  end,
  take = A[3].take,
  give = A[3].give,
  read = function(s, p, now)
    local ends = ending(s, p) - now
    local unit, reset = 0, 0
    if s[2] >= p[1] then unit = ends end
    if s[2] > 0 then reset = ends end
    return max(0, p[1] - s[2]), unit, reset
  end,
  delay = A[1].delay,
  whole = ending,
  used = A[3].used,
  resume = function(s, p, now, used) s[1] = period(p, now) s[2] = min(ceil(used), p[1]) end,
}
`
