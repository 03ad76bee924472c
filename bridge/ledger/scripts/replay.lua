-- Have a finished event decided again, or say what became of one that was replayed as others.
-- ARGV: prefix, now, index ms, dedup ms, event: {key, entry [field, value …], refs, marks, due or false, ttl or false}
-- Returns '' or the status that forbids it: one that is not finished goes on by itself, and one that is done is done.
local event = cjson.decode(ARGV[5])
local name = entry_key(event.key)
local had = redis.call('HMGET', name, 'status', 'lane', 'open')
local replayable = { failed = true, suppressed = true, ignored = true }
if not replayable[had[1] or ''] then return had[1] or 'forgotten' end

-- What may have been sent stays bound: it is found out first, as ever.
if not had[3] then redis.call('HDEL', name, 'request', 'campaign', 'asked', 'tried') end
redis.call('HDEL', name, 'crashes', 'fell', 'since', 'slot', 'was')
event.refs = with_aliases(event.refs)
redis.call('HSET', name, 'refs', cjson.encode(event.refs), unpack(event.entry))
index_refs(event.key, event.refs, ARGV[3])
leave_marks(event.key, event.marks, ARGV[4])
if event.due then
  redis.call('PERSIST', name)
  look_again(had[2], event.key, NOW)
  wake()
else
  redis.call('PEXPIRE', name, event.ttl)
end
return ''
