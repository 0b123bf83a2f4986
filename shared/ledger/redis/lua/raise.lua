-- raise sets the floor of a chunk's log, the first step that is kept, to the steps of
-- a stored snapshot. The caller then deletes the roots below the floor in small
-- batches (drop.lua). If the snapshot is missing, raise does nothing: the server went
-- back to an older copy of itself, or a newer snapshot has replaced this one.
--
-- KEYS[1]  log of the chunk
-- KEYS[2]  snapshot of the chunk
-- ARGV[1]  step
-- ARGV[2]  TTL of the key, milliseconds
--
-- Output   the floor before; -1 if the snapshot is missing
--
-- Atomicity: one script, one slot. Idempotent. Cost: O(1).
-- A server at its maxmemory refuses a script only if its first write may take memory.
-- PEXPIRE takes none and comes first. So a full server can still free memory.
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
