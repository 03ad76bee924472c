-- What came of an attempt, written by the worker that holds the lease and by nobody else.
-- ARGV: prefix, now, worker, index ms,
--       events: [{key, refs, entry, gone [field …], due or false, ttl or false, free, trouble,
--                 hasten [key …], wake [key …], wants_phone, hold [name, ms] or false,
--                 health [campaign, whether it answered, patience, pause ms, longest pause ms] or false, found}],
--       counts: {<what>|<label>|…: how many more}, and then texts: entry is the place of the first and the last of its [field, value …]
-- Returns per event 1, or 0 when the lease was lost meanwhile: then another worker's word counts.
local worker, index_ttl = ARGV[3], ARGV[4]

-- No call came of it: the fact may be acted on by another event, and the number is as warm as it was before.
local function give_back(name, key)
  local held = redis.call('HGET', name, 'held')
  if not held then return end
  held = cjson.decode(held)
  if redis.call('GET', P .. 'fact:' .. held.fact) == key then redis.call('DEL', P .. 'fact:' .. held.fact) end
  if held.caller and string.match(redis.call('GET', held.caller) or '', '^%d+ (.*)$') == key then
    if held.before then
      redis.call('SET', held.caller, held.before, 'PX', held.memory)
    else
      redis.call('DEL', held.caller)
    end
  end
  redis.call('HDEL', name, 'held')
end

-- The platform asked to be left alone: nobody's turn comes earlier, those that were given before included.
local function hold(name, till)
  for _, kind in ipairs({ 'pace:', 'hold:' }) do
    local key = P .. kind .. name
    if tonumber(redis.call('GET', key) or '0') < till then
      redis.call('SET', key, string.format('%.0f', till), 'PX', math.max(math.ceil(till - NOW), 0) + 60000)
    end
  end
end

-- How a campaign is: any proper answer closes its breaker; one failure after another opens it, each time for longer.
local function note_health(campaign, answered, patience, pause, longest)
  local name = P .. 'breaker:' .. campaign
  redis.call('DEL', P .. 'probing:' .. campaign)
  if answered then
    redis.call('DEL', name)
    return
  end
  local failures = redis.call('HINCRBY', name, 'failures', 1)
  redis.call('PEXPIRE', name, longest * 10)
  if failures < patience then return end
  redis.call('HSETNX', name, 'open', ARGV[2])
  hold('campaign:' .. campaign, NOW + math.min(pause * 2 ^ math.min(failures - patience, 20), longest))
end

local function hasten(key)
  local lane = redis.call('HGET', entry_key(key), 'lane')
  local at = lane and lane ~= 'first' and redis.call('ZSCORE', P .. 'due:' .. lane, key)
  if not at then return end
  redis.call('ZREM', P .. 'due:' .. lane, key)
  redis.call('ZADD', P .. 'due:first', at, key)
  redis.call('HSET', entry_key(key), 'lane', 'first')
end

local function want_phone(event)
  for _, ref in ipairs(event.refs) do
    if string.sub(ref, 1, 6) ~= 'phone:' then
      redis.call('SADD', P .. 'wants:' .. ref, event.key)
      redis.call('PEXPIRE', P .. 'wants:' .. ref, index_ttl)
    end
  end
end

local function record(event)
  local name = entry_key(event.key)
  local had = redis.call('HMGET', name, 'owner', 'status', 'lane', 'refs', 'terms', 'accepted')
  if had[1] ~= worker or had[2] ~= 'running' then return 0 end
  local accepted = had[6] or ARGV[2]
  file(event.key, event.found, had[2], had[5], accepted)
  release_refs(event.key, cjson.decode(had[4]))
  if event.free then give_back(name, event.key) end
  event.refs = with_aliases(event.refs)
  redis.call('HSET', name, 'refs', cjson.encode(event.refs), unpack(ARGV, event.entry[1], event.entry[2]))
  redis.call('HDEL', name, 'owner', 'until', unpack(event.gone))
  index_refs(event.key, event.refs, index_ttl)
  release_refs(event.key, event.refs)
  if event.trouble then redis.call('HSETNX', name, 'since', ARGV[2]) end
  for _, key in ipairs(event.hasten) do hasten(key) end
  for _, key in ipairs(event.wake) do rouse(key) end
  if #event.wake > 0 then wake() end
  if event.wants_phone then want_phone(event) end
  if event.hold then hold(event.hold[1], event.hold[2]) end
  if event.health then note_health(unpack(event.health)) end
  if event.due then
    look_again(had[3], event.key, event.due)
    if event.due <= NOW then wake() end
  else
    redis.call('ZREM', P .. 'due:' .. had[3], event.key)
    end_at(event.key, event.ttl)
    redis.call('HSET', name, 'ended', ARGV[2])
    count_end(event, accepted)
  end
  return 1
end

local answers = {}
for i, event in ipairs(cjson.decode(ARGV[5])) do answers[i] = record(event) end
for name, more in pairs(cjson.decode(ARGV[6])) do redis.call('HINCRBY', P .. 'totals', name, more) end
return answers
