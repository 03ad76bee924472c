-- What came of an attempt, written by the worker that holds the lease and by nobody else.
-- ARGV: prefix, now, worker, index ms,
--       events: [{key, refs, entry [field, value …], gone [field …], due or false, ttl or false, free fact or false,
--                 free phone or false, hold [name, ms] or false}]
-- Returns per event 1, or 0 when the lease was lost meanwhile: then another worker's word counts.
local worker, index_ttl = ARGV[3], ARGV[4]

local function give_back(name, key)
  local holder = redis.call('GET', name)
  if holder and (holder == key or string.match(holder, '^%d+ (.*)$') == key) then redis.call('DEL', name) end
end

local function record(event)
  local name = entry_key(event.key)
  local had = redis.call('HMGET', name, 'owner', 'status', 'lane')
  if had[1] ~= worker or had[2] ~= 'running' then return 0 end
  redis.call('HSET', name, 'refs', cjson.encode(event.refs), unpack(event.entry))
  redis.call('HDEL', name, 'owner', 'until', unpack(event.gone))
  index_refs(event.key, event.refs, index_ttl)
  release_refs(event.key, event.refs)
  if event.free_fact then give_back(P .. 'fact:' .. event.free_fact, event.key) end
  if event.free_phone then give_back(P .. 'called:' .. event.free_phone, event.key) end
  if event.hold then
    local pace = P .. 'pace:' .. event.hold[1]
    if tonumber(redis.call('GET', pace) or '0') < event.hold[2] then
      redis.call('SET', pace, string.format('%.0f', event.hold[2]), 'PX', math.ceil(event.hold[2] - NOW) + 60000)
    end
  end
  if event.due then
    look_again(had[3], event.key, event.due)
    if event.due <= NOW then wake() end
  else
    redis.call('ZREM', P .. 'due:' .. had[3], event.key)
    redis.call('PEXPIRE', name, event.ttl)
  end
  return 1
end

local answers = {}
for i, event in ipairs(cjson.decode(ARGV[5])) do answers[i] = record(event) end
return answers
