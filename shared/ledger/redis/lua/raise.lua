-- raise lifts the floor of a chunk's log, the first step that is kept. The
-- roots below it are deleted by the caller, after this, in small batches.
--
-- KEYS[1]  log of the chunk
-- ARGV[1]  step
-- ARGV[2]  life of the key from now on, milliseconds
--
-- Output   the floor before
--
-- Atomicity: one script, one key. Idempotent. Cost: O(1).
-- A server at its maxmemory refuses what may take memory as a script's first write
-- only. PEXPIRE comes first, so that memory can be freed then.
local floor = tonumber(redis.call('HGET', KEYS[1], 'floor') or '0')
local step = tonumber(ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if step >= floor then
  redis.call('HSET', KEYS[1], 'floor', ARGV[1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2]) -- again: the key may be new
return floor
