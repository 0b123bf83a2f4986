-- raise lifts the floor of a chunk's log, the first step that is kept, to the steps of
-- a snapshot that is there. The roots below it are deleted by the caller, after this,
-- in small batches (drop.lua). Without the snapshot it does nothing: the server was put
-- back to an older copy of itself since it was stored, or a newer one has taken its place.
--
-- KEYS[1]  log of the chunk
-- KEYS[2]  snapshot of the chunk
-- ARGV[1]  step
-- ARGV[2]  life of the key from now on, milliseconds
--
-- Output   the floor before; -1 when the snapshot is not there
--
-- Atomicity: one script, one slot. Idempotent. Cost: O(1).
-- A server at its maxmemory refuses what may take memory as a script's first write
-- only. PEXPIRE comes first, so that memory can be freed then.
local floor = tonumber(redis.call('HGET', KEYS[1], 'floor') or '0')
local step = tonumber(ARGV[1])
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then
  return -1
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if step >= floor then
  redis.call('HSET', KEYS[1], 'floor', ARGV[1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2]) -- again: the key may be new
return floor
