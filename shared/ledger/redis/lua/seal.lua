-- seal completes the log's entry of a root's chunk. The caller stores the floats just
-- before, in the same pipeline; without a seal the entry does not count. If the log was
-- trimmed past the step meanwhile, the script deletes the floats and their residual.
--
-- KEYS[1]  log of the chunk
-- KEYS[2]  snapshot of the chunk (same slot)
-- ARGV[1]  step
-- ARGV[2]  the entry's seal
-- ARGV[3]  TTL of the keys, milliseconds
--
-- Output   {"sealed"}         the entry is in the log
--          {"there"}          the log had the entry before
--          {"trimmed"}        the log begins with a later step; nothing was kept
--          {"missing"}        the floats are not stored; nothing was done
--          {"differs", seal}  the log has another entry, of this seal; nothing was done
--
-- Atomicity: one script, one slot. Repeating it changes nothing but the TTL. Cost: O(1).
local log, step, seal = KEYS[1], ARGV[1], ARGV[2]

local logged = redis.call('HMGET', log, 'floor', 's' .. step)
if tonumber(step) < tonumber(logged[1] or '0') then
  redis.call('HDEL', log, 's' .. step, step, 'e' .. step)
  return {'trimmed'}
end
if logged[2] then
  if logged[2] == seal then
    return {'there'}
  end
  return {'differs', logged[2]}
end
if redis.call('HEXISTS', log, step) == 0 then
  return {'missing'}
end
redis.call('HSET', log, 's' .. step, seal)
if tonumber(step) % 64 == 0 then
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
redis.call('PEXPIRE', log, ARGV[3])
return {'sealed'}
