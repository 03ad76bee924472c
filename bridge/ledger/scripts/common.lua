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
    local kind = string.match(ref, '^([^/]+/[^:]+):')
    if kind then redis.call('SADD', P .. 'types', kind) end
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

-- An event is forgotten by sweep.lua when its time is over; should nobody sweep, it goes by itself a day later.
local function end_at(key, ttl)
  redis.call('ZADD', P .. 'ends', NOW + tonumber(ttl), key)
  redis.call('PEXPIRE', entry_key(key), tonumber(ttl) + 86400000)
end

local function count(...)
  redis.call('HINCRBY', P .. 'totals', table.concat({ ... }, '|'), 1)
end

local function add_term(key, term, accepted)
  redis.call('ZADD', P .. 'by:' .. term, accepted, key)
  if string.sub(term, 1, 5) == 'word:' then redis.call('ZADD', P .. 'words', 0, string.sub(term, 6)) end
end

local function remove_term(key, term)
  redis.call('ZREM', P .. 'by:' .. term, key)
  if string.sub(term, 1, 5) == 'word:' and redis.call('EXISTS', P .. 'by:' .. term) == 0 then
    redis.call('ZREM', P .. 'words', string.sub(term, 6))
  end
end

-- What no longer leads to an event is taken out; a term stays a term whatever it is called.
local function index_terms(key, had, terms, accepted)
  local stays, there = {}, {}
  for _, term in ipairs(terms) do stays[term] = true end
  for _, term in ipairs(cjson.decode(had or '[]')) do
    there[term] = true
    if not stays[term] then remove_term(key, term) end
  end
  for _, term in ipairs(terms) do
    if not there[term] then add_term(key, term, accepted) end
  end
  redis.call('HSET', entry_key(key), 'terms', cjson.encode(terms))
end

-- The index of statuses; the hash itself is written by whoever calls.
local function move(key, from, to, accepted)
  if from == to then return end
  if from then redis.call('ZREM', P .. 'by:status:' .. from, key) end
  redis.call('ZADD', P .. 'by:status:' .. to, accepted, key)
end

-- A failure that comes back after somebody called it resolved opens its issue again.
local function note_issue(key, issue)
  local name = P .. 'issue:' .. issue.fingerprint
  if redis.call('HSETNX', name, 'first', ARGV[2]) == 1 then
    redis.call('HSET', name, 'source', issue.source, 'campaign', issue.campaign, 'cause', issue.cause, 'state', 'open')
  elseif redis.call('HGET', name, 'state') == 'resolved' then
    redis.call('HSET', name, 'state', 'open', 'reopened', ARGV[2])
  end
  redis.call('HINCRBY', name, 'count', 1)
  redis.call('HSET', name, 'last', ARGV[2], 'reason', issue.reason, 'sample', key)
  redis.call('ZADD', P .. 'issues', NOW, issue.fingerprint)
end

-- Reasons are sentences of a few hundred kinds; should somebody make each different, the list of kinds stays bounded.
local function note_cause(cause)
  if redis.call('HEXISTS', P .. 'causes', cause[1]) == 0 and redis.call('HLEN', P .. 'causes') < 5000 then
    redis.call('HSET', P .. 'causes', cause[1], cause[2])
  end
end

-- How an event is found from now on: event.found = {status, terms, cause [digest, text] or false, issue or false}
local function file(key, found, had_status, had_terms, accepted)
  move(key, had_status, found.status, accepted)
  index_terms(key, had_terms, found.terms, accepted)
  if found.cause then note_cause(found.cause) end
  if found.issue then note_issue(key, found.issue) end
end

-- The seconds up to which a count of how long something took reaches; longer ones are counted under more.
local TOOK = { 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200, 86400 }

local function count_time(campaign, ms)
  local under = 'more'
  for _, seconds in ipairs(TOOK) do
    if ms <= seconds * 1000 then
      under = tostring(seconds)
      break
    end
  end
  count('took', campaign, under)
  redis.call('HINCRBY', P .. 'totals', 'took_ms|' .. campaign, math.floor(ms))
end

local function count_end(event, accepted)
  local found = event.found
  count('finished', found.source, found.campaign, found.status)
  if found.status == 'done' and found.campaign ~= '' then count_time(found.campaign, math.max(NOW - tonumber(accepted), 0)) end
end
