-- Accept one delivery: claim each event's key, write what is new, and put it where it is looked after. All or nothing.
-- ARGV: prefix, now, dedup ms, index ms, delivery id, delivery record, delivery ms,
--       events: [{key, claim, window ms or false, entry [field, value …], lane, due or false, ttl or false, refs, marks,
--                 entity or false, absorbed, found}], source
-- Returns per event '' when it is new, else the status of the one that was there first.
local dedup, index_ttl, delivery_id = ARGV[3], ARGV[4], ARGV[5]
local answer, kept, due = {}, false, false

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

for i, event in ipairs(cjson.decode(ARGV[8])) do
  local name = entry_key(event.key)
  local first = entry_key(redis.call('GET', P .. 'seen:' .. event.claim) or event.key)
  local known = redis.call('HGET', first, 'status')
  if known or not redis.call('SET', P .. 'seen:' .. event.claim, event.key, 'NX', 'PX', event.window or dedup) then
    if known then redis.call('HINCRBY', first, 'duplicates', 1) end
    count('duplicates', ARGV[9])
    answer[i] = known or 'forgotten'
  else
    answer[i], kept = '', true
    if event.entity then absorb(event) end
    event.refs = with_aliases(event.refs)
    redis.call('HSET', name, 'delivery', delivery_id, 'accepted', ARGV[2], 'lane', event.lane,
      'refs', cjson.encode(event.refs), unpack(event.entry))
    index_refs(event.key, event.refs, index_ttl)
    leave_marks(event.key, event.marks, dedup)
    tell_those_who_want_a_phone(event)
    file(event.key, event.found, nil, nil, ARGV[2])
    count('accepted', ARGV[9])
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
end

redis.call('HSET', P .. 'sources', ARGV[9], ARGV[2])
if kept then redis.call('SET', P .. 'delivery:' .. delivery_id, ARGV[6], 'PX', ARGV[7]) end
if due then wake() end
return answer
