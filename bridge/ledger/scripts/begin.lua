-- Before a request goes out: the last gate, and the note that it is going. Everything only Redis can know is asked here,
-- in one step with the note, so that no other worker can come between.
-- ARGV: prefix, now, worker, lease ms, index ms, dedup ms, call memory ms,
--       events: [{key, refs, entry, marks, call or false, pace ms or false, probed, sure}], and then texts: entry is the place of the first
--       and the last of its [field, value …]
--       call: as in gate.lua
-- Returns per event [word, detail, detail]: go | lost | busy holder | unwanted why | stopped by | told by | cooled by, at | paused scope, why | paced, held or silent at | probe | unsure
local worker, lease, index_ttl, dedup, memory = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6], tonumber(ARGV[7])

-- Requests of one campaign are spread evenly, and none goes out while the platform asked to be left alone. Who comes too
-- early is given a turn and keeps it, unless that has come while the campaign is held or while nobody was there to take it: many
-- that missed their turns must not go out together, so each is given another.
local late = 2000

local function turn(event)
  local slot = tonumber(redis.call('HGET', entry_key(event.key), 'slot') or '')
  local held = tonumber(redis.call('GET', P .. 'hold:campaign:' .. event.call.campaign) or '0')
  if slot and slot > NOW then return slot end
  if slot and held <= NOW and NOW - slot <= late then return nil end
  local name, pace = P .. 'pace:campaign:' .. event.call.campaign, event.pace or 0
  local free = math.max(tonumber(redis.call('GET', name) or '0'), held, NOW)
  if pace > 0 then
    redis.call('SET', name, string.format('%.0f', free + pace), 'PX', math.ceil(free + pace - NOW) + 60000)
  end
  if free <= NOW then return nil end
  redis.call('HSET', entry_key(event.key), 'slot', string.format('%.0f', free))
  return free
end

local function broken(campaign) return redis.call('HGET', P .. 'breaker:' .. campaign, 'open') end

-- What is waited for with a turn: that the platform answers, that the time is over for which it asked to be left alone, or the rate limit.
local function waits_for(campaign)
  if broken(campaign) then return 'silent' end
  if tonumber(redis.call('GET', P .. 'hold:campaign:' .. campaign) or '0') > NOW then return 'held' end
  return 'paced'
end

-- A campaign that failed often in a row is left alone; when its time is over one event asks whether it answers again, the others wait.
local function must_probe(event)
  local campaign = event.call.campaign
  if event.probed or not broken(campaign) then return nil end
  if redis.call('SET', P .. 'probing:' .. campaign, event.key, 'NX', 'PX', lease) then return { 'probe' } end
  if redis.call('GET', P .. 'probing:' .. campaign) == event.key then return { 'probe' } end
  return { 'silent', string.format('%.0f', NOW + 1000) }
end

-- A store that came back older has forgotten calls it made: of what it had accepted before, the platform is asked first, once.
local function must_make_sure(event, name)
  local restored = redis.call('GET', P .. 'restored')
  if not restored or event.sure then return nil end
  local had = redis.call('HMGET', name, 'accepted', 'asked', 'sure')
  if had[2] or had[3] or tonumber(had[1] or '0') > tonumber(restored) then return nil end
  return { 'unsure' }
end

-- The event remembers what it holds, so that it can be given back when certainly no call came of it.
local function reserve(event, name)
  local call, caller, before = event.call, false, false
  redis.call('SET', P .. 'fact:' .. call.fact, event.key, 'PX', call.fact_ms or dedup)
  if memory > 0 then
    caller = P .. 'called:' .. call.campaign .. ':' .. call.phone
    before = redis.call('GET', caller)
    if before and string.match(before, '^%d+ (.*)$') == event.key then before = false end
    redis.call('SET', caller, ARGV[2] .. ' ' .. event.key, 'PX', memory)
  end
  redis.call('HSETNX', name, 'held', cjson.encode({ fact = call.fact, caller = caller, before = before, memory = memory }))
end

local function begin(event)
  local name = entry_key(event.key)
  local had = redis.call('HMGET', name, 'owner', 'status', 'lane', 'refs')
  if had[1] ~= worker or had[2] ~= 'running' then return { 'lost' } end
  event.refs = with_aliases(event.refs)
  leave_marks(event.key, event.marks, dedup)
  local refs = cjson.encode(event.refs)
  if refs ~= had[4] then index_refs(event.key, event.refs, index_ttl) end
  local busy = lease_refs(event.key, event.refs, lease)
  if busy then return { 'busy', busy } end
  if event.call then
    local why = refused(event)
    if why then return why end
    local on_hold = paused(event.call)
    if on_hold then return on_hold end
    local unsure = must_make_sure(event, name)
    if unsure then return unsure end
    if event.sure then redis.call('HSET', name, 'sure', '1') end
    local at = turn(event)
    if at then return { waits_for(event.call.campaign), string.format('%.0f', at) } end
    local probe = must_probe(event)
    if probe then return probe end
    reserve(event, name)
    redis.call('HINCRBY', name, 'tries', 1)
    redis.call('HSETNX', name, 'asked', ARGV[2])
    redis.call('HSET', name, 'tried', ARGV[2])
    redis.call('HDEL', name, 'slot')
  end
  redis.call('HSET', name, 'refs', refs, 'until', NOW + lease, unpack(ARGV, event.entry[1], event.entry[2]))
  look_again(had[3], event.key, NOW + lease)
  return { 'go' }
end

local answers = {}
for i, event in ipairs(cjson.decode(ARGV[8])) do answers[i] = begin(event) end
return answers
