-- Some more events of a plan, counted by what would come of them. ARGV: prefix, now, id, the place of the first of them, examples kept of a kind,
--       events [{name, key, example, refs, marks, call {fact, campaign, phone, happened, due, waits, cooldown, restarts} or false}],
--       behind {now {word → name}, wait {word → name}}
-- name: "<effect> <kind>"; phone: a digest. What the events of a plan would do to each other counts: who would be stopped by another, or told
-- the same fact, or called too soon after it, is counted under behind[…][word]. Who calls earlier comes first, wherever it is in the plan.
-- Returns 1, or 0 when another process was quicker.
local name = P .. 'plan:' .. ARGV[3]
local had = redis.call('HMGET', name, 'state', 'stage', 'place')
if had[1] ~= 'counting' or had[2] ~= 'counting' or tonumber(had[3]) ~= tonumber(ARGV[4]) then return 0 end
local taken, counts, events, behind = name .. ':taken', name .. ':counts', cjson.decode(ARGV[6]), cjson.decode(ARGV[7])

local function fields(call)
  return { fact = 'fact|' .. call.fact, number = 'call|' .. call.campaign .. '|' .. call.phone }
end

-- Who has told a fact, or called a number: when (ms) and which event.
local function holder(field)
  local due, key = string.match(redis.call('HGET', taken, field) or '', '^(%d+) (.*)$')
  return tonumber(due), key
end

local function by_mark(event)
  for _, ref in ipairs(with_aliases(event.refs)) do
    for _, mark in ipairs(redis.call('HMGET', taken, 'mark|' .. ref .. '|*', 'mark|' .. ref .. '|' .. event.call.campaign)) do
      if mark then
        local at, restarts = read_mark(mark)
        if at > event.call.happened or (at == event.call.happened and not (restarts and event.call.restarts)) then return true end
      end
    end
  end
  return false
end

-- Whether who holds something calls before another one. Who does not wait was counted before it, whatever the two clocks said.
local function is_before(due, key, call)
  return due and (due <= call.due or redis.call('HEXISTS', taken, 'wait|' .. key) == 0)
end

-- Whether another one of the plan is in the way, and how.
local function in_the_way(event)
  if by_mark(event) then return 'stopped' end
  local held, call = fields(event.call), event.call
  local told, teller = holder(held.fact)
  local called, caller = holder(held.number)
  if is_before(told, teller, call) then return 'told' end
  if is_before(called, caller, call) and math.max(call.due - called, 0) < call.cooldown then return 'cooled' end
end

-- One that waits, and was counted as if nobody came before it.
local function displace(key, word)
  local waits = cjson.decode(redis.call('HGET', taken, 'wait|' .. key))
  redis.call('HINCRBY', counts, waits.name, -1)
  redis.call('HINCRBY', counts, behind.wait[word], 1)
  for _, field in ipairs(waits.fields) do
    local _, holds = holder(field)
    if holds == key then redis.call('HDEL', taken, field) end
  end
  redis.call('HDEL', taken, 'wait|' .. key)
end

local function displace_later(event)
  local held, call = fields(event.call), event.call
  local told, teller = holder(held.fact)
  if told and not is_before(told, teller, call) then displace(teller, 'told') end
  local called, caller = holder(held.number)
  if not called or is_before(called, caller, call) then return end
  local waits = cjson.decode(redis.call('HGET', taken, 'wait|' .. caller))
  if called - call.due < waits.cooldown then displace(caller, 'cooled') end
end

local function take(event)
  local held, call = fields(event.call), event.call
  local holds = string.format('%.0f %s', call.due, event.key)
  displace_later(event)
  redis.call('HSET', taken, held.fact, holds, held.number, holds)
  if call.waits then
    local waits = { name = event.name, cooldown = call.cooldown, fields = { held.fact, held.number } }
    redis.call('HSET', taken, 'wait|' .. event.key, cjson.encode(waits))
  end
end

-- As the ledger keeps its own: only ever forward in time.
local function mark(marks)
  for _, each in ipairs(marks) do
    local field = 'mark|' .. each[1] .. '|' .. each[2]
    local old, at = redis.call('HGET', taken, field), tonumber(each[3])
    local had_at, had_restarts = 0, false
    if old then had_at, had_restarts = read_mark(old) end
    if not old or had_at < at or (had_at == at and had_restarts and each[4] ~= '+') then
      redis.call('HSET', taken, field, string.format('%d%s -', at, each[4]))
    end
  end
end

local function note_example(counted, example)
  local written = redis.call('HGET', name .. ':examples', counted)
  local examples = cjson.decode(written or '[]')
  if #examples >= tonumber(ARGV[5]) then return end
  examples[#examples + 1] = example
  redis.call('HSET', name .. ':examples', counted, cjson.encode(examples))
end

for _, event in ipairs(events) do
  local word = event.call and in_the_way(event)
  local counted = word and behind[event.call.waits and 'wait' or 'now'][word] or event.name
  if redis.call('HINCRBY', counts, counted, 1) <= tonumber(ARGV[5]) then
    note_example(counted, { event.key, word and '' or event.example })
  end
  if event.call and not word then take(event) end
  mark(event.marks)
end
redis.call('HINCRBY', name, 'place', #events)
return 1
