import { placeLeaseMs } from '../../core/budgets.ts'
/**
 * The algorithms of `limits/` in Lua, for budgets that a fleet shares. Numbers are whole and below 2^53, as there; the
 * differential test holds the two together. Each has, over a state `s` of numbers (three where nothing else is said) and
 * parameters `p`:
 *
 * - `advance(s, p, now)`: to the present; - `most(s, p, now, cost)`: how many such requests fit;
 * - `retry(s, p, now, cost)`: ms until one fits, -1 for never; - `take`, `give`: of units;
 * - `read(s, p, now)`: remaining, ms to a unit, ms to whole; - `delay`: ms that what is taken next has to wait;
 * - `used`, `resume`: what is carried over to another edition of the limit;
 * - `learn(s, p, now, used, reset)`: after the server has forgotten, what a node remembers: how much was used, and the ms
 *   until all of it is given back. Never less than what is known already, never more than was true.
 *
 * `me` is the number of the holder who asks.
 */
export const budgetAlgorithms = `
local floor, ceil, min, max, huge = math.floor, math.ceil, math.min, math.max, math.huge
local jump = 60000
local lease = ${placeLeaseMs}
local me = 0
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
  learn = function(s, p, now, used, reset) put(s, p, now, max(debt(s, p, now), min(reset * p[2], 2 * p[1] * p[3]))) end,
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
  learn = function(s, p, now, used, reset) put(s, p, now, max(debt(s, p, now), min(reset * p[2], 3 * p[1] * p[3]))) end,
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
  learn = function(s, p, now, used, reset) s[1] = min(s[1], now + reset - p[2]) s[2] = max(s[2], used) end,
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
  learn = function(s, p, now, used) s[3] = s[3] + max(0, ceil(used - slidingUsed(s, p, now))) end,
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
  learn = function(s, p, now, used) s[2] = max(s[2], used) end,
}

-- Sliding log: pairs of a time and how many units were taken then, the oldest first. p: limit, window.
local function total(s, first, step) local n = 0 for i = first, #s, step do n = n + s[i] end return n end
A[6] = {
  advance = function(s, p, now)
    local k, first, isMended = #s, 1, false
    if k > 0 and s[k - 1] - now > jump then
      for i = 1, k, 2 do s[i] = min(s[i], now) end
      isMended = true
    end
    while first < k and s[first] <= now - p[2] do first = first + 2 end
    if first > 1 then
      for i = 1, k do s[i] = s[i + first - 1] end
    end
    return isMended
  end,
  most = function(s, p, now, cost) return floor((p[1] - total(s, 2, 2)) / cost) end,
  retry = function(s, p, now, cost)
    if cost > p[1] then return -1 end
    local over = total(s, 2, 2) + cost - p[1]
    if over <= 0 or cost == 0 then return 0 end
    local i = 2
    while over > s[i] do over = over - s[i] i = i + 2 end
    return s[i - 1] + p[2] - now
  end,
  take = function(s, p, now, n)
    n = min(n, 128 - total(s, 2, 2))
    if n <= 0 then return end
    local k = #s
    if k > 0 and s[k - 1] >= now then s[k] = s[k] + n else s[k + 1] = now s[k + 2] = n end
  end,
  give = function(s, p, now, n)
    local k = #s
    while n > 0 and k > 0 do
      local given = min(n, s[k])
      n = n - given
      s[k] = s[k] - given
      if s[k] == 0 then s[k] = nil s[k - 1] = nil k = k - 2 end
    end
  end,
  read = function(s, p, now)
    local k = #s
    local reset = 0
    if k > 0 then reset = max(0, s[k - 1] + p[2] - now) end
    return max(0, p[1] - total(s, 2, 2)), A[6].retry(s, p, now, 1), reset
  end,
  delay = A[1].delay,
  whole = function(s, p) if #s == 0 then return 0 end return s[#s - 1] + p[2] end,
  used = function(s) return total(s, 2, 2) end,
  resume = function(s, p, now, used) A[6].take(s, p, now, min(ceil(used), p[1])) end,
  learn = function(s, p, now, used, reset)
    local missing = min(used - total(s, 2, 2), 128)
    if missing <= 0 then return end
    local at = now + reset - p[2]
    if #s > 0 then at = min(at, s[1]) end
    table.insert(s, 1, missing)
    table.insert(s, 1, at)
  end,
}

-- Concurrency: of each holder its number, how many it has under way, and until when that counts. p: limit.
local function own(s) for i = 1, #s, 3 do if s[i] == me then return i end end return nil end
local function drop(s, i) for j = i, #s do s[j] = s[j + 3] end end
A[7] = {
  advance = function(s, p, now)
    local isMended = false
    for i = #s - 2, 1, -3 do
      if s[i + 2] <= now then drop(s, i)
      elseif s[i + 2] - now > lease + jump then s[i + 2] = now + lease isMended = true end
    end
    return isMended
  end,
  most = function(s, p, now, cost) return floor((p[1] - total(s, 2, 3)) / cost) end,
  retry = function(s, p, now, cost)
    if cost > p[1] then return -1 end
    if cost == 0 or total(s, 2, 3) + cost <= p[1] then return 0 end
    return 1000
  end,
  take = function(s, p, now, n)
    local i = own(s)
    if not i then i = #s + 1 s[i] = me s[i + 1] = 0 end
    s[i + 1] = s[i + 1] + n
    s[i + 2] = now + lease
  end,
  give = function(s, p, now, n)
    local i = own(s)
    if not i then return end
    s[i + 1] = s[i + 1] - n
    if s[i + 1] <= 0 then drop(s, i) end
  end,
  hold = function(s, p, now, n)
    local i = own(s)
    if i then drop(s, i) end
    if n > 0 then A[7].take(s, p, now, n) end
  end,
  read = function(s, p)
    local held = total(s, 2, 3)
    local unit, reset = 0, 0
    if held >= p[1] then unit = 1000 end
    if held > 0 then reset = 1000 end
    return max(0, p[1] - held), unit, reset
  end,
  delay = A[1].delay,
  whole = function(s) local last = 0 for i = 3, #s, 3 do last = max(last, s[i]) end return last end,
  used = function(s) return total(s, 2, 3) end,
  resume = function() end,
}
`
