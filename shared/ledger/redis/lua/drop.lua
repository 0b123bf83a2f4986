-- drop deletes fields of a chunk's log or snapshots that a newer snapshot makes
-- unnecessary. If that snapshot is missing, it deletes nothing: see raise.lua.
--
-- KEYS[1]  snapshot of the chunk
-- KEYS[2]  log or snapshot of the chunk, which has the fields
-- ARGV[1]  steps folded into the snapshot
-- ARGV[2…] fields, a few
--
-- Output   how many fields were deleted
--
-- Atomicity: one script, one slot. Idempotent. Cost: O(fields).
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
return redis.call('HDEL', KEYS[2], unpack(ARGV, 2))
