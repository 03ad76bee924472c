-- An event that a replay of many passes over, with the cause. ARGV: prefix, now, id, its place, skipped or failed, the cause, its key
-- Returns '' or what not_its_turn says.
local why = not_its_turn(ARGV[3], ARGV[4])
if why ~= '' then return why end
count_in_plan(ARGV[3], ARGV[5])
redis.call('HINCRBY', P .. 'plan:' .. ARGV[3] .. ':causes', ARGV[5] .. '|' .. ARGV[6], 1)
local accepted = ARGV[5] == 'failed' and redis.call('HGET', entry_key(ARGV[7]), 'accepted')
if accepted then redis.call('ZADD', P .. 'plan:' .. ARGV[3] .. ':failed', accepted, ARGV[7]) end
return ''
