-- Have a finished event decided again, or say what became of one that was replayed as others.
-- ARGV: prefix, now, index ms, dedup ms,
--       event: {key, entry, refs, marks, lane, keep, due or false, ttl or false, found, part {plan, place} or false,
--               of: the plan that it was part of before or false}, what was read in its field packed or '', and then texts: entry is the
--               place of the first and the last of its [field, value …]
-- Returns '' or the status that forbids it: one that is not finished goes on by itself, and one that is done is done; erased when its
-- person was forgotten; changed where it is not what was read of it any more. As part of a replay of many also halted or overtaken.
local event = cjson.decode(ARGV[5])
local name = entry_key(event.key)
local had = redis.call('HMGET', name, 'status', 'lane', 'open', 'terms', 'accepted', 'fact', 'packed')
if event.part then
  local why = not_its_turn(event.part.plan, event.part.place)
  if why ~= '' then return why end
end
if had[6] == 'erased' then return 'erased' end  -- after its delivery was read, and before this
local replayable = { failed = true, suppressed = true, ignored = true }
if not replayable[had[1] or ''] then return had[1] or 'forgotten' end

-- It was replayed and finished again meanwhile, or its person was forgotten.
if (had[7] or '') ~= ARGV[6] then return 'changed' end

-- What may have been sent stays bound: it is found out first, as ever.
if not had[3] and not event.keep then redis.call('HDEL', name, 'request', 'campaign', 'asked', 'tried') end
redis.call('HDEL', name, 'crashes', 'fell', 'since', 'slot', 'was', 'ended', 'rule', 'planned', 'packed')
file(event.key, event.found, had[1], had[4], had[5] or ARGV[2])
event.refs = with_aliases(event.refs)
redis.call('HSET', name, 'refs', cjson.encode(event.refs), unpack(ARGV, event.entry[1], event.entry[2]))
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
