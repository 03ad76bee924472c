-- More events for a plan that is being put together. ARGV: prefix, now, id, the cursor they were found from, the next one or '' at the end,
--       events [score, key, …]
-- Returns 1, or 0 when another process was quicker.
local name = P .. 'plan:' .. ARGV[3]
local had = redis.call('HMGET', name, 'state', 'stage', 'cursor')
if had[1] ~= 'counting' or had[2] ~= 'gathering' or (had[3] or '') ~= ARGV[4] then return 0 end

local events = cjson.decode(ARGV[6])
for place = 1, #events, 2 do redis.call('ZADD', name .. ':keys', events[place], events[place + 1]) end
redis.call('HSET', name, 'cursor', ARGV[5], 'total', redis.call('ZCARD', name .. ':keys'))
if ARGV[5] == '' then
  redis.call('DEL', name .. ':counts', name .. ':examples', name .. ':taken')
  redis.call('HSET', name, 'stage', 'counting', 'place', 0)
end
return 1
