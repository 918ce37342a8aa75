import { createHash } from 'node:crypto'
import { wakeChannel } from './key-layout.ts'

/** Lua that Redis runs as one atomic step, with the hash under which it remembers it. */
export interface Script {
  readonly text: string
  readonly sha: string
}

function script(...parts: readonly string[]): Script {
  const text = parts.join('\n')
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/** Announcements that a part's stream holds; a reader that falls further behind starts again from what is kept. */
const maxStream = 10_000
/** How long after its end an entry of an index is cleared away: nodes' clocks differ. */
const slackMs = 3_600_000

/** Appends to the part's stream. `k`: where the four bus keys begin in KEYS. Data is the last part of the message, as it may hold anything. */
const announce = `
local function announce(k, topic, key, data, keep, at)
  local place = topic .. '\\0' .. key
  if key ~= '' then
    if tonumber(keep) > tonumber(at) then
      redis.call('HSET', KEYS[k + 2], place, keep .. '\\0' .. at .. '\\0' .. data)
      redis.call('ZADD', KEYS[k + 3], keep, place)
    else
      redis.call('HDEL', KEYS[k + 2], place)
      redis.call('ZREM', KEYS[k + 3], place)
    end
  end
  local gone = redis.call('ZRANGEBYSCORE', KEYS[k + 3], '-inf', tonumber(at) - ${slackMs}, 'LIMIT', 0, 20)
  if #gone > 0 then
    redis.call('HDEL', KEYS[k + 2], unpack(gone))
    redis.call('ZREM', KEYS[k + 3], unpack(gone))
  end
  local before = redis.call('GET', KEYS[k + 1]) or ''
  local message = place .. '\\0' .. keep .. '\\0' .. at .. '\\0' .. data
  local id = redis.call('XADD', KEYS[k], 'MAXLEN', '~', ${maxStream}, '*', 'm', message, 'p', before)
  redis.call('SET', KEYS[k + 1], id)
  redis.pcall('PUBLISH', '${wakeChannel}', KEYS[k])
end`

/** Puts an id into an index; clears some of what ended long ago. An index of one owner ends with its last entry. */
const index = `
local function clear(key, now)
  local gone = redis.call('ZRANGEBYSCORE', key, '-inf', tonumber(now) - ${slackMs}, 'LIMIT', 0, 20)
  if #gone > 0 then redis.call('ZREM', key, unpack(gone)) end
end
local function own(key, id, ends, now)
  clear(key, now)
  redis.call('ZADD', key, ends, id)
  local last = tonumber(redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2])
  if last >= 9007199254740991 then redis.call('PERSIST', key)
  else redis.call('PEXPIREAT', key, string.format('%.0f', last + ${slackMs})) end
end`

/**
 * KEYS record, kind, owner · ARGV id, owner, value, schema, version, end, now, the server's end ('' for none).
 * 1, or 0 when the id is taken.
 */
export const createRecord = script(
  index,
  `
local ends = redis.call('HGET', KEYS[1], 'exp')
if ends and tonumber(ends) > tonumber(ARGV[7]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'own', ARGV[2], 'val', ARGV[3], 'sch', ARGV[4], 'ver', ARGV[5], 'exp', ARGV[6])
if ARGV[8] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[8]) end
clear(KEYS[2], ARGV[7])
redis.call('ZADD', KEYS[2], ARGV[6], ARGV[1])
if ARGV[2] ~= '' then own(KEYS[3], ARGV[1], ARGV[6], ARGV[7]) end
return 1`,
)

/** As before, with the version that was read. The new version, or nothing when another (or none) is there. */
export const updateRecord = script(
  index,
  `
local r = redis.call('HMGET', KEYS[1], 'ver', 'exp')
if r[1] ~= ARGV[5] or tonumber(r[2]) <= tonumber(ARGV[7]) then return false end
redis.call('HSET', KEYS[1], 'val', ARGV[3], 'sch', ARGV[4], 'exp', ARGV[6])
if ARGV[8] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[8]) else redis.call('PERSIST', KEYS[1]) end
clear(KEYS[2], ARGV[7])
redis.call('ZADD', KEYS[2], ARGV[6], ARGV[1])
if ARGV[2] ~= '' then own(KEYS[3], ARGV[1], ARGV[6], ARGV[7]) end
return redis.call('HINCRBY', KEYS[1], 'ver', 1)`,
)

/**
 * KEYS record, kind, owner, and the bus · ARGV id, owner, now, topic ('' for no notice), data, keep until.
 * The record's fields; nothing when none was there; 0 when it belongs to another owner by now.
 */
export const removeRecord = script(
  announce,
  `
local r = redis.call('HMGET', KEYS[1], 'own', 'val', 'sch', 'ver', 'exp')
if r[1] and r[1] ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if ARGV[4] ~= '' then announce(4, ARGV[4], ARGV[1], ARGV[5], ARGV[6], ARGV[3]) end
if not r[1] or tonumber(r[5]) <= tonumber(ARGV[3]) then return false end
return r`,
)

/** KEYS family, owner · ARGV id, now, then field and value of each. 1, or 0 when the id is taken. */
export const createFamily = script(
  index,
  `
local ends = redis.call('HGET', KEYS[1], 'exp')
if ends and tonumber(ends) > tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
if ARGV[4] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[4]) end
own(KEYS[2], ARGV[1], ARGV[3], ARGV[2])
return 1`,
)

/** The fields of a family, in the order in which they are read. */
export const familyFields = [
  'own',
  'val',
  'sch',
  'exp',
  'bound',
  'cur',
  'prev',
  'sealed',
  'asked',
  'rot',
  'at',
  'idle',
  'end',
] as const

const readFamily = `
local f = redis.call('HMGET', KEYS[1], ${familyFields.map((field) => `'${field}'`).join(', ')})
local own, val, sch, exp, bound, cur, prev, sealed, asked, rot, at, idle, ended = unpack(f)`

/**
 * KEYS family, and the bus · ARGV id, now, presented, successor, sealed, bound, asked, grace (ms), idle end, topic, data,
 * keep until. What `decideRotation` says, in the same order, and the family as it is afterwards.
 */
export const rotate = script(
  announce,
  readFamily,
  `
local now = tonumber(ARGV[2])
if not exp or tonumber(exp) <= now then return {'unknown'} end
if ended ~= '' then return {'ended', '', f} end
if tonumber(idle) <= now then return {'expired'} end
if bound ~= ARGV[6] then return {'mismatched', '', f} end
if cur == ARGV[3] then
  local ends = tonumber(ARGV[9]) < tonumber(exp) and ARGV[9] or exp
  local count = string.format('%.0f', tonumber(rot) + 1)
  redis.call('HSET', KEYS[1], 'cur', ARGV[4], 'prev', ARGV[3], 'sealed', ARGV[5], 'asked', ARGV[7], 'rot', count, 'at', ARGV[2], 'idle', ends)
  return {'rotated', '', {own, val, sch, exp, bound, ARGV[4], ARGV[3], ARGV[5], ARGV[7], count, ARGV[2], ends, ended}}
end
local isPrevious = rot ~= '0' and prev == ARGV[3]
if isPrevious and now - tonumber(at) <= tonumber(ARGV[8]) then
  return {asked == ARGV[7] and 'replayed' or 'mismatched', '', f}
end
if now < tonumber(at) then return {'overtaken', '', f} end
redis.call('HSET', KEYS[1], 'end', 'reuse', 'sealed', '')
announce(2, ARGV[10], ARGV[1], ARGV[11], ARGV[12], ARGV[2])
return {'reused', isPrevious and 'late' or '', {own, val, sch, exp, bound, cur, prev, '', asked, rot, at, idle, 'reuse'}}`,
)

/**
 * KEYS family, owner, and the bus · ARGV id, owner, now, reason, topic ('' for no notice), data, keep until. The family
 * that was active, else nothing; 0 when it belongs to another owner by now.
 */
export const endFamily = script(
  announce,
  readFamily,
  `
if own and own ~= ARGV[2] then return 0 end
local isActive = exp and tonumber(exp) > tonumber(ARGV[3]) and ended == ''
if isActive then redis.call('HSET', KEYS[1], 'end', ARGV[4], 'sealed', '') end
redis.call('ZREM', KEYS[2], ARGV[1])
if ARGV[5] ~= '' then announce(3, ARGV[5], ARGV[1], ARGV[6], ARGV[7], ARGV[3]) end
if isActive then return f end
return false`,
)

/** KEYS generation, and the bus · ARGV subject, now, topic, keep until. The new generation. */
export const raise = script(
  announce,
  `
local number = redis.call('INCR', KEYS[1])
announce(2, ARGV[3], ARGV[1], string.format('%.0f', number), ARGV[4], ARGV[2])
return number`,
)

/** KEYS the bus · ARGV key, now, topic, data, keep until. */
export const append = script(announce, `announce(1, ARGV[3], ARGV[1], ARGV[4], ARGV[5], ARGV[2])\nreturn 1`)
