-- Give back what a worker had in hand when Redis went away: it lives, so nothing it held counts as a crash.
-- ARGV: prefix, now, worker, keys (JSON)
local worker = ARGV[3]

local function release(key)
  local name = entry_key(key)
  local had = redis.call('HMGET', name, 'owner', 'status', 'lane', 'refs', 'was', 'fell', 'accepted')
  if had[1] == worker and had[2] == 'running' then
    move(key, had[2], had[5] or 'waiting', had[7] or ARGV[2])
    redis.call('HSET', name, 'status', had[5] or 'waiting')
    redis.call('HDEL', name, 'owner', 'until')
    release_refs(key, cjson.decode(had[4]))
    look_again(had[3], key, NOW)
  elseif had[6] == worker then
    -- Taken over meanwhile, and counted as if its worker had died.
    redis.call('HDEL', name, 'fell')
    if tonumber(redis.call('HGET', name, 'crashes') or '0') > 0 then redis.call('HINCRBY', name, 'crashes', -1) end
  end
end

for _, key in ipairs(cjson.decode(ARGV[4])) do release(key) end
wake()
