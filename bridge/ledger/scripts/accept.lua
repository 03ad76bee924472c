-- Accept deliveries: claim each event's key, write what is new, and put it where it is looked after. All or nothing.
-- ARGV: prefix, now, dedup ms, index and delivery ms,
--       deliveries: [{id, source, record, events: [{key, claim, window ms or nil, entry, lane, due or nil, ttl or nil, refs, marks or nil,
--                 entity or nil, absorbed or nil, found}]}], and then texts: record is the place of one of them, entry that of the first and
--                 the last of an event's [field, value …]
-- Returns per event, in order, '' when it is new, else the status of the one that was there first.
local dedup, index_ttl = ARGV[3], ARGV[4]
local answers, due, counted = {}, false, {}

-- What is known under a record's name is known under that of the one it was merged into, stop marks included.
local function absorb(event)
  for _, old in ipairs(event.absorbed) do
    local index, taken = P .. 'ref:' .. event.entity, P .. 'ref:' .. old
    redis.call('ZUNIONSTORE', index, 2, index, taken, 'AGGREGATE', 'MAX')
    redis.call('PEXPIRE', index, index_ttl)
    local marks = redis.call('HGETALL', P .. 'mark:' .. old)
    for place = 1, #marks, 2 do
      local at, restarts, by = read_mark(marks[place + 1])
      leave_marks(by, { { event.entity, marks[place], at, restarts and '+' or '' } }, dedup)
    end
    if old ~= event.entity then redis.call('SET', P .. 'alias:' .. old, event.entity, 'PX', index_ttl) end
  end
end

-- A number has come for a record that others wait with.
local function tell_those_who_want_a_phone(event)
  local has_phone = false
  for _, ref in ipairs(event.refs) do has_phone = has_phone or string.sub(ref, 1, 6) == 'phone:' end
  if not has_phone then return end
  for _, ref in ipairs(event.refs) do
    local wanting = redis.call('SMEMBERS', P .. 'wants:' .. ref)
    for _, key in ipairs(wanting) do
      rouse(key)
      due = true
    end
    if #wanting > 0 then redis.call('DEL', P .. 'wants:' .. ref) end
  end
end

-- The status of the one that was there first, and where it is; nil for a new one. A record may outlive its claim, and a claim its record.
local function known(event)
  local claim = P .. 'seen:' .. event.claim
  local is_first = redis.call('SET', claim, event.key == event.claim and '' or event.key, 'NX', 'PX', event.window or dedup)
  local named = is_first and event.key or redis.call('GET', claim)
  local name = entry_key(named == '' and event.claim or named)
  return redis.call('HGET', name, 'status') or (not is_first and 'forgotten') or nil, name
end

local function tally(...)
  local name = table.concat({ ... }, '|')
  counted[name] = (counted[name] or 0) + 1
end

local function accept(event, delivery)
  local name = entry_key(event.key)
  if event.entity and event.absorbed then absorb(event) end
  event.refs = with_aliases(event.refs)
  redis.call('HSET', name, 'delivery', delivery.id, 'accepted', ARGV[2], 'lane', event.lane, 'refs', cjson.encode(event.refs),
    unpack(ARGV, event.entry[1], event.entry[2]))
  index_refs(event.key, event.refs, index_ttl)
  if event.marks then leave_marks(event.key, event.marks, dedup) end
  tell_those_who_want_a_phone(event)
  file(event.key, event.found, nil, nil, ARGV[2])
  tally('accepted', delivery.source)
  if event.ttl then
    end_at(event.key, event.ttl)
    redis.call('HSET', name, 'ended', ARGV[2])
    count_end(event, ARGV[2])
  end
  if event.due then
    look_again(event.lane, event.key, event.due)
    due = true
  end
end

local heard = {}
for _, delivery in ipairs(cjson.decode(ARGV[5])) do
  local kept = false
  for _, event in ipairs(delivery.events) do
    local status, first = known(event)
    if status then
      if status ~= 'forgotten' then redis.call('HINCRBY', first, 'duplicates', 1) end
      tally('duplicates', delivery.source)
    else
      accept(event, delivery)
      kept = true
    end
    answers[#answers + 1] = status or ''
  end
  if kept then redis.call('SET', P .. 'delivery:' .. delivery.id, ARGV[delivery.record], 'PX', index_ttl) end
  heard[delivery.source] = true
end

for source in pairs(heard) do redis.call('HSET', P .. 'sources', source, ARGV[2]) end
for name, more in pairs(counted) do redis.call('HINCRBY', P .. 'totals', name, more) end
if due then wake() end
return answers
