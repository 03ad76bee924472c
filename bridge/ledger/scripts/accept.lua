-- Accept one delivery: claim each event's key, write what is new, and put it where it is looked after. All or nothing.
-- ARGV: prefix, now, dedup ms, index ms, delivery id, delivery record, delivery ms,
--       events: [{key, claim, window ms or false, entry [field, value …], lane, due or false, ttl or false, refs, marks}]
-- Returns per event '' when it is new, else the status of the one that was there first.
local dedup, index_ttl, delivery_id = ARGV[3], ARGV[4], ARGV[5]
local answer, kept, due = {}, false, false

for i, event in ipairs(cjson.decode(ARGV[8])) do
  local name = entry_key(event.key)
  local first = entry_key(redis.call('GET', P .. 'seen:' .. event.claim) or event.key)
  local known = redis.call('HGET', first, 'status')
  if known or not redis.call('SET', P .. 'seen:' .. event.claim, event.key, 'NX', 'PX', event.window or dedup) then
    if known then redis.call('HINCRBY', first, 'duplicates', 1) end
    answer[i] = known or 'forgotten'
  else
    answer[i], kept = '', true
    redis.call('HSET', name, 'delivery', delivery_id, 'accepted', ARGV[2], 'lane', event.lane,
      'refs', cjson.encode(event.refs), unpack(event.entry))
    index_refs(event.key, event.refs, index_ttl)
    leave_marks(event.key, event.marks, dedup)
    if event.ttl then redis.call('PEXPIRE', name, event.ttl) end
    if event.due then
      look_again(event.lane, event.key, event.due)
      due = true
    end
  end
end

if kept then redis.call('SET', P .. 'delivery:' .. delivery_id, ARGV[6], 'PX', ARGV[7]) end
if due then wake() end
return answer
