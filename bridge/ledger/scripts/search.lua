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

-- What shares a ref is filed by when it was last touched, which is not sooner than when it was accepted.
local by_touch = string.sub(groups[walked][1], 1, 4) == 'ref:'
local newest, oldest = ARGV[6], ARGV[4]
if newest == '' then newest = by_touch and '+inf' or ARGV[5] end
local streams = {}

local function fill(stream)
  stream.rows = redis.call('ZREVRANGEBYSCORE', P .. stream.index, newest, oldest, 'WITHSCORES', 'LIMIT', stream.offset, CHUNK)
  stream.offset, stream.place = stream.offset + CHUNK, 1
end

local function head(stream)
  if stream.place > #stream.rows and #stream.rows == CHUNK * 2 then fill(stream) end
  return stream.rows[stream.place], tonumber(stream.rows[stream.place + 1])
end

for _, index in ipairs(groups[walked]) do
  local stream = { index = index, offset = 0 }
  fill(stream)
  if #stream.rows > 0 then streams[#streams + 1] = stream end
end

-- The newest of what the streams have next; of those of one moment, the one whose key is last.
local function next_event()
  local best, key, at
  for _, stream in ipairs(streams) do
    local this, when = head(stream)
    if this and (not key or when > at or (when == at and this > key)) then best, key, at = stream, this, when end
  end
  if best then best.place = best.place + 2 end
  return key, at
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

local function in_time(key, at)
  if by_touch then at = tonumber(redis.call('HGET', entry_key(key), 'accepted') or at) end
  return at >= since and at <= till
end

local found, last_key, last_at = {}, nil, nil
while #found < room * 2 and looks > 0 do
  local key, at = next_event()
  if not key then return { found } end
  local passed = cursor ~= '' and at == tonumber(newest) and key >= cursor
  if key ~= last_key and not passed then
    looks = looks - 1
    if in_other_groups(key) and redis.call('EXISTS', entry_key(key)) == 1 and in_time(key, at) and says(key) then
      found[#found + 1] = key
      found[#found + 1] = string.format('%.0f', at)
    end
  end
  last_key, last_at = key, at
end
return { found, string.format('%.0f', last_at or 0), last_key or '' }
