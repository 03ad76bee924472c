-- Have a finished event decided again, or say what became of one that was replayed as others.
-- ARGV: prefix, now, index ms, dedup ms,
--       event: {key, entry [field, value …], refs, marks, lane, keep, due or false, ttl or false, found,
--               part {plan, place} or false, of: the plan that it was part of before or false}
-- Returns '' or the status that forbids it: one that is not finished goes on by itself, and one that is done is done; erased when its person
-- was forgotten. As part of a replay
-- of many also halted or overtaken.
local event = cjson.decode(ARGV[5])
local name = entry_key(event.key)
local had = redis.call('HMGET', name, 'status', 'lane', 'open', 'terms', 'accepted', 'fact')
if event.part then
  local why = not_its_turn(event.part.plan, event.part.place)
  if why ~= '' then return why end
end
if had[6] == 'erased' then return 'erased' end  -- after its delivery was read, and before this
local replayable = { failed = true, suppressed = true, ignored = true }
if not replayable[had[1] or ''] then return had[1] or 'forgotten' end

-- What may have been sent stays bound: it is found out first, as ever.
if not had[3] and not event.keep then redis.call('HDEL', name, 'request', 'campaign', 'asked', 'tried') end
redis.call('HDEL', name, 'crashes', 'fell', 'since', 'slot', 'was', 'ended', 'rule', 'planned')
file(event.key, event.found, had[1], had[4], had[5] or ARGV[2])
event.refs = with_aliases(event.refs)
redis.call('HSET', name, 'refs', cjson.encode(event.refs), unpack(event.entry))
index_refs(event.key, event.refs, ARGV[3])
leave_marks(event.key, event.marks, ARGV[4])
if event.due then
  redis.call('PERSIST', name)
  redis.call('ZREM', P .. 'ends', event.key)
  redis.call('HSET', name, 'lane', event.lane)
  look_again(event.lane, event.key, NOW)
  wake()
else
  end_at(event.key, event.ttl)
  redis.call('HSET', name, 'ended', ARGV[2])
end
if event.part then
  count_in_plan(event.part.plan, 'replayed')
elseif event.of and redis.call('EXISTS', P .. 'plan:' .. event.of) == 1 then
  redis.call('SADD', P .. 'plans:active', event.of)  -- how its events stand changes once more
end
return ''
