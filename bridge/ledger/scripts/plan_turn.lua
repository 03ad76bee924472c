-- Take a replay of many from one state to another, if it still is in one of those that allow it.
-- ARGV: prefix, now, id, states that allow it, the new state, fields [name, value, …], what to write into its history or '', how long it is kept (ms) or ''
-- Returns '' or the state that forbids it; none when there is no such plan.
local name = P .. 'plan:' .. ARGV[3]
local state, allowed = redis.call('HGET', name, 'state'), false
for _, word in ipairs(cjson.decode(ARGV[4])) do allowed = allowed or word == state end
if not allowed then return state or 'none' end

redis.call('HSET', name, 'state', ARGV[5], unpack(cjson.decode(ARGV[6])))
-- The same events once more: they are sorted again, since what may stop calls is not what it was when the rules have changed.
if ARGV[5] == 'counting' and redis.call('EXISTS', name .. ':keys') == 1 then redis.call('RENAME', name .. ':keys', name .. ':before') end
if ARGV[7] ~= '' then redis.call('RPUSH', name .. ':history', ARGV[7]) end
if ARGV[5] == 'planned' then
  redis.call('SREM', P .. 'plans:active', ARGV[3])
else
  redis.call('SADD', P .. 'plans:active', ARGV[3])
end
for _, part in ipairs({ '', ':keys', ':before', ':counts', ':examples', ':taken', ':causes', ':failed', ':history' }) do
  if ARGV[8] == '' then redis.call('PERSIST', name .. part) else redis.call('PEXPIRE', name .. part, ARGV[8]) end
end
return ''
