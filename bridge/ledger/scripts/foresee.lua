-- What the last gate would say, without passing it. ARGV: prefix, now, events: [{key, refs, call}]
-- An event's own marks do not stop its own call, so they need not be there. Returns per event what begin.lua does of refusals, or go.
local answers = {}
for i, event in ipairs(cjson.decode(ARGV[3])) do
  event.refs = with_aliases(event.refs)
  answers[i] = refused(event) or paused(event.call) or { 'go' }
end
return answers
