-- A worker that is still at it says so. ARGV: prefix, now, worker, lease ms, keys (JSON). Returns the keys it still holds.
local held = {}
for _, key in ipairs(cjson.decode(ARGV[5])) do
  local name = entry_key(key)
  local had = redis.call('HMGET', name, 'owner', 'status', 'lane', 'refs')
  if had[1] == ARGV[3] and had[2] == 'running' and not lease_refs(key, cjson.decode(had[4]), ARGV[4]) then
    redis.call('HSET', name, 'until', NOW + tonumber(ARGV[4]))
    look_again(had[3], key, NOW + tonumber(ARGV[4]))
    table.insert(held, key)
  end
end
return held
