-- A page of events, the newest first. ARGV: prefix, now, groups [[index, …], …], since ms, until ms, where to go on (ms and key, or '' and ''),
--       how many, how many looks at most, words that the reason holds or ''
-- An event must be in one index of each group. The smallest group is walked, the others are asked; however rare what is looked for
-- is, no more than so many looks are taken. Returns {keys and their times in turn, the time and key that were looked at last, or none at the end}.
local groups, since, till, cursor = cjson.decode(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[7]
local room, looks, words = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]
local CHUNK = 100

local function size(group)
  local sum = 0
  for _, index in ipairs(group) do sum = sum + redis.call('ZCARD', P .. index) end
  return sum
end

local walked, smallest = 1, nil
for place, group in ipairs(groups) do
  local found = size(group)
  if not smallest or found < smallest then walked, smallest = place, found end
end

-- As Redis sorts members: byte by byte. Lua's own > goes by the language that the server was started in.
local function is_behind(this, that)
  for place = 1, math.min(#this, #that) do
    local a, b = string.byte(this, place), string.byte(that, place)
    if a ~= b then return a > b end
  end
  return #this > #that
end

-- What shares a ref is filed by when it was last touched, which is not sooner than when it was accepted.
local oldest, streams = ARGV[4], {}

local function fill(stream)
  local newest = ARGV[6]
  if newest == '' then newest = stream.by_touch and '+inf' or ARGV[5] end
  stream.rows = redis.call('ZREVRANGEBYSCORE', P .. stream.index, newest, oldest, 'WITHSCORES', 'LIMIT', stream.offset, CHUNK)
  stream.offset, stream.place = stream.offset + CHUNK, 1
end

local function head(stream)
  if stream.place > #stream.rows and #stream.rows == CHUNK * 2 then fill(stream) end
  return stream.rows[stream.place], tonumber(stream.rows[stream.place + 1])
end

for _, index in ipairs(groups[walked]) do
  local stream = { index = index, offset = 0, by_touch = string.sub(index, 1, 4) == 'ref:' }
  fill(stream)
  if #stream.rows > 0 then streams[#streams + 1] = stream end
end

-- The newest of what the streams have next; of those of one moment, the one whose key is last.
local function next_event()
  local best, key, at
  for _, stream in ipairs(streams) do
    local this, when = head(stream)
    if this and (not key or when > at or (when == at and is_behind(this, key))) then best, key, at = stream, this, when end
  end
  if best then best.place = best.place + 2 end
  return key, at, best and best.by_touch
end

local function in_other_groups(key)
  for place, group in ipairs(groups) do
    if place ~= walked then
      local there = false
      for _, index in ipairs(group) do
        there = there or redis.call('ZSCORE', P .. index, key)
      end
      if not there then return false end
    end
  end
  return true
end

local function says(key)
  if words == '' then return true end
  return string.find(string.lower(redis.call('HGET', entry_key(key), 'reason') or ''), words, 1, true) ~= nil
end

local function in_time(key, at, by_touch)
  if by_touch then at = tonumber(redis.call('HGET', entry_key(key), 'accepted') or at) end
  return at >= since and at <= till
end

local found, seen, last_key, last_at = {}, {}, nil, nil
while #found < room * 2 and looks > 0 do
  local key, at, by_touch = next_event()
  if not key then return { found } end
  local passed = cursor ~= '' and at == tonumber(ARGV[6]) and not is_behind(cursor, key)
  if not seen[key] and not passed then
    looks, seen[key] = looks - 1, true
    if in_other_groups(key) and redis.call('EXISTS', entry_key(key)) == 1 and in_time(key, at, by_touch) and says(key) then
      found[#found + 1] = key
      found[#found + 1] = string.format('%.0f', at)
    end
  end
  last_key, last_at = key, at
end
return { found, string.format('%.0f', last_at or 0), last_key or '' }
