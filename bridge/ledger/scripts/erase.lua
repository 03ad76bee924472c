-- Forget people: what was received from them and decided about them goes, what stops redeliveries stays.
-- ARGV: prefix, now, own key, ttl ms, events: [{key, document, campaign or null, terms}], phones
local own, ttl = ARGV[3], ARGV[4]
local phones = cjson.decode(ARGV[6])

local function forget_phone(phone, campaign)
  redis.call('DEL', P .. 'ref:phone:' .. phone, P .. 'mark:phone:' .. phone, P .. 'wants:phone:' .. phone)
  if type(campaign) == 'string' then redis.call('DEL', P .. 'called:' .. campaign .. ':' .. phone) end
end

local function erase(event)
  local name = entry_key(event.key)
  local had = redis.call('HMGET', name, 'status', 'lane', 'delivery', 'refs', 'terms', 'accepted')
  if not had[1] then return end
  if had[3] then redis.call('DEL', P .. 'delivery:' .. had[3]) end
  for _, ref in ipairs(cjson.decode(had[4] or '[]')) do
    redis.call('ZREM', P .. 'ref:' .. ref, event.key)
    redis.call('SREM', P .. 'wants:' .. ref, event.key)
  end
  index_terms(event.key, had[5], event.terms, had[6] or ARGV[2])
  for _, phone in ipairs(phones) do forget_phone(phone, event.campaign) end
  if event.key == own then return end
  redis.call('HDEL', name, 'packed', 'request', 'attempts', 'cancels', 'held', 'jobs', 'open', 'asked', 'owner', 'until', 'slot', 'forget')
  redis.call('HSET', name, 'document', event.document, 'fact', 'erased', 'trace', '[]', 'refs', '[]')
  if redis.call('ZREM', P .. 'due:' .. had[2], event.key) == 1 then
    move(event.key, had[1], 'suppressed', had[6] or ARGV[2])
    redis.call('HSET', name, 'status', 'suppressed', 'ended', ARGV[2])
    end_at(event.key, ttl)
  end
  redis.call('HSET', name, 'reason', 'erased: the person asked to be forgotten')
end

for _, event in ipairs(cjson.decode(ARGV[5])) do erase(event) end
