-- Take a lease, or go on holding it.
-- KEYS: the lease; ARGV: who, for how long (ms)
-- Returns 1, or 0 while another holds it.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
