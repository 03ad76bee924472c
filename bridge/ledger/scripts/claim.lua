-- Take up to N due events for one worker, each with a lease on itself and on all its refs.
-- ARGV: prefix, now, worker, n, lease ms, pause ms when a ref is taken (more than none: they would be looked at again at once),
--       1 when the worker has nothing else in hand, and what is to be set aside or '': {places: {<place>: ms}, rules: {<rule>: ms}} (JSON)
-- Returns per event [key, status it had, field, value, …].
local worker, room, lease, pause = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local empty_handed = ARGV[7] == '1'
local aside = ARGV[8] ~= '' and cjson.decode(ARGV[8])
local taken, alone, moved = {}, false, 0

-- Where it most likely goes is full: those of others are looked at before it. What was running may be owed an answer, and is seen to.
local function set_aside(lane, key, status, rule, campaign)
  if not aside or status == 'running' then return false end
  local wait = campaign and aside.places['campaign:' .. campaign] or aside.places['crm:' .. (string.match(key, '^[^:]+') or '')]
    or rule and aside.rules[rule]
  if not wait then return false end
  moved = moved + 1
  look_again(lane, key, string.format('%.3f', NOW + wait + moved / 1000))
  return true
end

local function take(lane, key)
  local name = entry_key(key)
  local had = redis.call('HMGET', name, 'status', 'refs', 'crashes', 'owner', 'accepted', 'rule', 'campaign')
  if not had[1] then
    redis.call('ZREM', P .. 'due:' .. lane, key)
    return
  end
  if set_aside(lane, key, had[1], had[6], had[7]) then return end
  -- Whose worker died twice is tried with nothing beside it: the third time tells whether it is the cause, and takes nobody along.
  if tonumber(had[3] or '0') + (had[1] == 'running' and had[4] ~= worker and 1 or 0) >= 2 then
    if #taken > 0 or not empty_handed then
      look_again(lane, key, NOW + pause)
      return
    end
    alone = true
  end
  local busy = lease_refs(key, cjson.decode(had[2]), lease)
  if busy then
    if had[1] == 'queued' or had[1] == 'waiting' then
      move(key, had[1], 'waiting', had[5] or ARGV[2])
      redis.call('HSET', name, 'status', 'waiting', 'reason', 'another event of the same person is running: ' .. busy)
    end
    look_again(lane, key, NOW + pause)
    return
  end
  -- Due while running: its lease ran out, so the worker that had it is gone; if it only could not reach Redis, it will say so. Unless it
  -- is the one that claims: then it lives, and Redis went away before it could hear what it had been given.
  if had[1] ~= 'running' then
    redis.call('HSET', name, 'was', had[1])
  elseif had[4] ~= worker then
    redis.call('HINCRBY', name, 'crashes', 1)
    redis.call('HSET', name, 'fell', had[4] or '')
  end
  move(key, had[1], 'running', had[5] or ARGV[2])
  redis.call('HSET', name, 'status', 'running', 'owner', worker, 'until', NOW + lease)
  look_again(lane, key, NOW + lease)
  local row = redis.call('HGETALL', name)
  table.insert(row, 1, had[1])
  table.insert(row, 1, key)
  table.insert(taken, row)
end

-- Events that find their person busy use up no room: whoever waits behind many of them is looked at too, within reason.
local looks = room * 10
for _, lane in ipairs({ 'first', 'normal', 'last' }) do
  while #taken < room and looks > 0 do
    local due = redis.call('ZRANGEBYSCORE', P .. 'due:' .. lane, '-inf', NOW, 'LIMIT', 0, room - #taken)
    if #due == 0 then break end
    looks = looks - #due
    for _, key in ipairs(due) do
      if alone and #taken > 0 then return taken end
      take(lane, key)
    end
    if alone and #taken > 0 then return taken end
  end
end
return taken
