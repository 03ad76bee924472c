-- Forget finished events whose time is over, and everything that leads to them. ARGV: prefix, now, how many at most, longest retention ms
-- Returns how many events were forgotten.
local function forget(key)
  local name = entry_key(key)
  local had = redis.call('HMGET', name, 'status', 'terms', 'refs')
  if had[1] then redis.call('ZREM', P .. 'by:status:' .. had[1], key) end
  for _, term in ipairs(cjson.decode(had[2] or '[]')) do remove_term(key, term) end
  for _, ref in ipairs(cjson.decode(had[3] or '[]')) do redis.call('ZREM', P .. 'ref:' .. ref, key) end
  redis.call('DEL', name)
  redis.call('ZREM', P .. 'ends', key)
end

local over = redis.call('ZRANGEBYSCORE', P .. 'ends', '-inf', NOW, 'LIMIT', 0, ARGV[3])
for _, key in ipairs(over) do forget(key) end

for _, issue in ipairs(redis.call('ZRANGEBYSCORE', P .. 'issues', '-inf', NOW - tonumber(ARGV[4]), 'LIMIT', 0, ARGV[3])) do
  redis.call('DEL', P .. 'issue:' .. issue)
  redis.call('ZREM', P .. 'issues', issue)
end
return #over
