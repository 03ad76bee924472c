-- Have events looked at at once, where they are not finished. ARGV: prefix, now, keys (JSON)
for _, key in ipairs(cjson.decode(ARGV[3])) do rouse(key) end
wake()
