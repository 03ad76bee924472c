-- Some more events of a plan, counted by what would come of them. ARGV: prefix, now, id, the place of the first of them, examples kept of a kind,
--       events [{name, example, refs, marks, call {fact, campaign, phone, happened, due, cooldown, restarts} or false, behind {word → name}}]
-- name: "<effect> <kind>"; phone: a digest. What events before it in the plan would do counts: who would be told the same fact, or called in
-- between, or stopped, is counted under behind[word]. Returns 1, or 0 when another process was quicker.
local name = P .. 'plan:' .. ARGV[3]
local had = redis.call('HMGET', name, 'state', 'stage', 'place')
if had[1] ~= 'counting' or had[2] ~= 'counting' or tonumber(had[3]) ~= tonumber(ARGV[4]) then return 0 end
local taken, events = name .. ':taken', cjson.decode(ARGV[6])

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

local function behind(event)
  if by_mark(event) then return 'stopped' end
  if redis.call('HEXISTS', taken, 'fact|' .. event.call.fact) == 1 then return 'told' end
  local last = redis.call('HGET', taken, 'call|' .. event.call.campaign .. '|' .. event.call.phone)
  if last and event.call.cooldown > 0 and math.abs(event.call.due - tonumber(last)) < event.call.cooldown then return 'cooled' end
end

local function take(call)
  redis.call('HSET', taken, 'fact|' .. call.fact, 1, 'call|' .. call.campaign .. '|' .. call.phone, string.format('%.0f', call.due))
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
  local word = event.call and behind(event)
  local counted = word and event.behind[word] or event.name
  redis.call('HINCRBY', name .. ':counts', counted, 1)
  if event.example then note_example(counted, event.example) end
  if event.call and not word then take(event.call) end
  mark(event.marks)
end
redis.call('HINCRBY', name, 'place', #events)
return 1
