-- Who must not be called, as far as only Redis can know. Put between common.lua and a script that asks.
-- A call: {source, campaign, phone, at ms, fact, fact_ms or false, cooldown ms, restarts}

local function stop_mark(event)
  for _, ref in ipairs(event.refs) do
    for _, mark in ipairs(redis.call('HMGET', P .. 'mark:' .. ref, '*', event.call.campaign)) do
      if mark then
        local at, restarts, by = read_mark(mark)
        local stops = at > event.call.at or (at == event.call.at and not (restarts and event.call.restarts))
        if stops and by ~= event.key then return by end
      end
    end
  end
end

local function unwanted(call)
  for _, kept in ipairs(redis.call('HMGET', P .. 'do-not-call:' .. call.phone, '*', call.campaign)) do
    if kept then
      local till = cjson.decode(kept)['until']
      if type(till) ~= 'number' or till > NOW then return kept end
    end
  end
end

-- The reason not to call, or nil. An event that holds the fact or the number itself is not in its own way.
local function refused(event)
  local call = event.call
  local why = unwanted(call)
  if why then return { 'unwanted', why } end
  local by = stop_mark(event)
  if by then return { 'stopped', by } end
  local teller = redis.call('GET', P .. 'fact:' .. call.fact)
  if teller and teller ~= event.key then return { 'told', teller } end
  if call.cooldown > 0 then
    local last = redis.call('GET', P .. 'called:' .. call.campaign .. ':' .. call.phone)
    if last then
      local at, caller = string.match(last, '^(%d+) (.*)$')
      if caller ~= event.key and NOW - tonumber(at) < call.cooldown then return { 'cooled', caller, at } end
    end
  end
end

-- Somebody paused all calling, the campaign, or the source: {'paused', scope, why}, or nil.
local function paused(call)
  local scopes = { '*', 'campaign:' .. call.campaign, 'source:' .. call.source }
  for i, why in ipairs(redis.call('HMGET', P .. 'paused', unpack(scopes))) do
    if why then return { 'paused', scopes[i], why } end
  end
end
