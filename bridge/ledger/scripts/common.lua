-- What the scripts share; put in front of each. P is the prefix of every key (layout.py describes them all).
local P = ARGV[1]
local NOW = tonumber(ARGV[2])

local function entry_key(key) return P .. 'event:' .. key end

-- Every ref of an event leads to it, for searches and for cancels. What is older than anything kept is taken out.
local function index_refs(key, refs, ttl)
  for _, ref in ipairs(refs) do
    redis.call('ZADD', P .. 'ref:' .. ref, NOW, key)
    redis.call('ZREMRANGEBYSCORE', P .. 'ref:' .. ref, '-inf', NOW - tonumber(ttl))
    redis.call('PEXPIRE', P .. 'ref:' .. ref, ttl)
  end
end

-- A record that was merged into another goes on under the other's name as well as its own.
local function with_aliases(refs)
  local all, there = {}, {}
  local function add(ref)
    if not there[ref] then
      there[ref] = true
      all[#all + 1] = ref
    end
  end
  for _, ref in ipairs(refs) do
    add(ref)
    local lives_on, hops = redis.call('GET', P .. 'alias:' .. ref), 0
    while lives_on and hops < 10 do
      add(lives_on)
      lives_on, hops = redis.call('GET', P .. 'alias:' .. lives_on), hops + 1
    end
  end
  return all
end

-- "<ms><+ where its event goes on to call> <event key>"
local function read_mark(mark)
  local at, restarts, by = string.match(mark, '^(%d+)(%+?) (.*)$')
  return tonumber(at), restarts == '+', by
end

-- A stop mark only ever moves forward in time; at one moment, one that only stops outweighs one whose event goes on to call.
local function leave_marks(key, marks, ttl)
  for _, mark in ipairs(marks) do
    local name, campaign, at = P .. 'mark:' .. mark[1], mark[2], tonumber(mark[3])
    local old = redis.call('HGET', name, campaign)
    local had_at, had_restarts = 0, false
    if old then had_at, had_restarts = read_mark(old) end
    if not old or had_at < at or (had_at == at and had_restarts and mark[4] ~= '+') then
      redis.call('HSET', name, campaign, string.format('%d%s %s', at, mark[4], key))
      redis.call('PEXPIRE', name, ttl)
    end
  end
end

-- All refs or none: two attempts for one person are never open at once.
local function lease_refs(key, refs, ttl)
  for _, ref in ipairs(refs) do
    local holder = redis.call('GET', P .. 'lease:' .. ref)
    if holder and holder ~= key then return holder end
  end
  for _, ref in ipairs(refs) do
    redis.call('SET', P .. 'lease:' .. ref, key, 'PX', ttl)
  end
  return nil
end

local function release_refs(key, refs)
  for _, ref in ipairs(refs) do
    if redis.call('GET', P .. 'lease:' .. ref) == key then redis.call('DEL', P .. 'lease:' .. ref) end
  end
end

local function look_again(lane, key, at)
  redis.call('ZADD', P .. 'due:' .. lane, at, key)
end

-- Looked at at once, where it is not finished.
local function rouse(key)
  local lane = redis.call('HGET', entry_key(key), 'lane')
  if lane and tonumber(redis.call('ZSCORE', P .. 'due:' .. lane, key) or NOW) > NOW and redis.call('HGET', entry_key(key), 'status') ~= 'running' then
    redis.call('ZADD', P .. 'due:' .. lane, NOW, key)
  end
end

local function wake()
  redis.call('LPUSH', P .. 'wake', 1)
  redis.call('LTRIM', P .. 'wake', 0, 0)
end
