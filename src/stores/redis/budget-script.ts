import { createHash } from 'node:crypto'
import { budgetAlgorithms } from './budget-algorithms.ts'
import type { Script } from './scripts.ts'

/**
 * KEYS the epoch, the budgets (any of them several times) · ARGV now in ms ('' for the server's clock), and one text of numbers, since a hundred small
 * arguments cost more than what they ask for: the epoch that the asker knows (0 for none), the number of the holder, and for
 * each call: verb (1 charge, 2 peek, 3 credit, 4 debit, 5 learn, 6 hold), count, number of levels, and for each level: its
 * key's place in KEYS, algorithm, three parameters, cost. To learn, count is the ms until whole, and cost what was used.
 * Answers for each call but those: how many were granted, then of each level: remaining, retry (-1 for never), reset, unit,
 * delay. Where the epoch is another, nothing is done, and the answer is `!`, the epoch, and its age in ms.
 *
 * A budget is a text of numbers: algorithm, parameters, state. It ends a second after it is whole: what has ended would say
 * no more than nothing does.
 */
const text = `
${budgetAlgorithms}
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end

local args = {}
for part in string.gmatch(ARGV[2], '%S+') do args[#args + 1] = tonumber(part) end

local epoch = redis.call('GET', KEYS[1])
-- Who only looks whether this can be written finds out.
if not epoch or #args == 2 then
  epoch = epoch or string.format('%.0f', now)
  redis.call('SET', KEYS[1], epoch)
end
if tonumber(epoch) ~= args[1] then return '!' .. epoch .. ' ' .. string.format('%.0f', now - epoch) end
me = args[2]

local function fresh(kind) if kind <= 5 then return { 0, 0, 0 } end return {} end

local budgets = {}
local function load(key, kind, p)
  local budget = budgets[key]
  if budget then
    if budget.kind == kind and budget.p[1] == p[1] and budget.p[2] == p[2] and budget.p[3] == p[3] then return budget end
  else
    local stored = redis.call('GET', key)
    if not stored then
      budget = { kind = kind, p = p, s = fresh(kind), isNew = true }
      budgets[key] = budget
      A[kind].advance(budget.s, p, now)
      return budget
    end
    local n = {}
    for part in string.gmatch(stored, '%S+') do n[#n + 1] = tonumber(part) end
    local s = {}
    for i = 5, #n do s[i - 4] = n[i] end
    budget = { kind = n[1], p = { n[2], n[3], n[4] }, s = s }
    budgets[key] = budget
    local isMended = A[budget.kind].advance(s, budget.p, now)
    -- Mended after a jump of the clock: to be kept, or the next jump would find it again.
    budget.isChanged = isMended or budget.kind <= 5 and s[1] < n[5]
  end
  if budget.kind ~= kind or budget.p[1] ~= p[1] or budget.p[2] ~= p[2] or budget.p[3] ~= p[3] then
    -- The limit was edited: what was used stays used, as far as the new one reaches.
    if not (budget.kind == kind and kind >= 3 and (kind >= 6 or budget.p[2] == p[2] and budget.p[3] == p[3])) then
      local used = A[budget.kind].used(budget.s, budget.p, now)
      budget.s = fresh(kind)
      A[kind].resume(budget.s, p, now, used)
    end
    budget.kind = kind
    budget.p = p
    if kind >= 6 then A[kind].advance(budget.s, p, now) end
    budget.isEdited = true
  end
  return budget
end

local out = {}
local at = 3
while at <= #args do
  local verb, count, levels = args[at], args[at + 1], args[at + 2]
  at = at + 3
  local own, costs = {}, {}
  local granted = count
  for i = 1, levels do
    local kind = args[at + 1]
    local p = { args[at + 2], args[at + 3], args[at + 4] }
    own[i] = load(KEYS[args[at]], kind, p)
    costs[i] = args[at + 5]
    at = at + 6
    if verb <= 2 then
      local b = own[i]
      if A[kind].retry(b.s, p, now, costs[i]) ~= 0 then granted = 0
      elseif costs[i] > 0 then granted = max(0, min(granted, A[kind].most(b.s, p, now, costs[i]))) end
    end
  end
  if verb == 5 then
    local b = own[1]
    if A[b.kind].learn then A[b.kind].learn(b.s, b.p, now, costs[1], count) end
    b.isChanged = true
    levels = 0
  else out[#out + 1] = granted end
  for i = 1, levels do
    local b, cost = own[i], costs[i]
    local a = A[b.kind]
    local delay = 0
    if cost > 0 and (granted > 0 or verb == 6) and verb ~= 2 then
      if verb == 3 then a.give(b.s, b.p, now, granted * cost)
      elseif verb == 6 then if a.hold then a.hold(b.s, b.p, now, granted) end
      else
        if verb == 1 then delay = a.delay(b.s, b.p, now, cost) end
        a.take(b.s, b.p, now, granted * cost)
      end
      b.isChanged = true
    end
    local remaining, unit, reset = a.read(b.s, b.p, now)
    local k = #out
    out[k + 1], out[k + 2], out[k + 3], out[k + 4], out[k + 5] = remaining, a.retry(b.s, b.p, now, cost), reset, unit, delay
  end
end

for key, b in pairs(budgets) do
  if b.isChanged or b.isEdited then
    local ms = A[b.kind].whole(b.s, b.p) - now
    local _, _, reset = A[b.kind].read(b.s, b.p, now)
    if reset <= 0 then
      if not b.isNew then redis.call('DEL', key) end
    else
      local p, s = b.p, b.s
      local text
      if b.kind <= 5 then
        text = string.format('%d %.0f %.0f %.0f %.0f %.0f %.0f', b.kind, p[1], p[2], p[3], s[1], s[2], s[3])
      else
        local parts = { string.format('%d %.0f %.0f %.0f', b.kind, p[1], p[2], p[3]) }
        for j = 1, #s do parts[j + 1] = string.format('%.0f', s[j]) end
        text = table.concat(parts, ' ')
      end
      redis.call('SET', key, text, 'PX', string.format('%.0f', max(1000, ms + 1000)))
    end
  end
end
-- Numbers below 10^14 as text are whole.
return table.concat(out, ' ')`

/** Carries out a batch of calls on budgets, as one atomic step. */
export const budgetScript = scriptOf(text)

/** KEYS the holders, a sorted set by when they were last heard · ARGV member, how long to remember in ms. All who live. */
export const greetScript = scriptOf(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)`)

function scriptOf(lua: string): Script {
  return { text: lua, sha: createHash('sha1').update(lua).digest('hex') }
}
