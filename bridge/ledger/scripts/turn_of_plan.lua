-- A replay of many goes on event by event: each is put in, or passed over, in the same step in which it is counted, and only in its turn.
-- So no crash comes between the two, and nothing is put in once somebody has paused or cancelled it. Put between common.lua and a script that asks.

-- '' when it is the turn of this place; halted when the replay does not run; overtaken when another process is further with it.
local function not_its_turn(plan, place)
  local stands = redis.call('HMGET', P .. 'plan:' .. plan, 'state', 'place')
  if stands[1] ~= 'running' then return 'halted' end
  if tonumber(stands[2] or '0') ~= tonumber(place) then return 'overtaken' end
  return ''
end

local function count_in_plan(plan, what)
  redis.call('HINCRBY', P .. 'plan:' .. plan, what, 1)
  redis.call('HINCRBY', P .. 'plan:' .. plan, 'place', 1)
end
