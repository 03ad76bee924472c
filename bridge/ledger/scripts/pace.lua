-- One turn of a rate limit. ARGV: prefix, now, name, interval ms, longest wait ms.
-- Returns how many ms to wait; a turn is taken only when that is not more than the longest wait.
local name = P .. 'pace:' .. ARGV[3]
local free = math.max(tonumber(redis.call('GET', name) or '0'), NOW)
if free - NOW <= tonumber(ARGV[5]) then
  redis.call('SET', name, string.format('%.0f', free + tonumber(ARGV[4])), 'PX', math.ceil(free + tonumber(ARGV[4]) - NOW) + 60000)
end
return math.ceil(free - NOW)
