-- batch commits consecutive steps as one batch, by the stored snapshot after them.
-- It makes this snapshot the newest one. The log has no entries of the steps.
--
-- KEYS[1]  control
-- KEYS[2]  losses
-- KEYS[3]  pending
-- KEYS[4]  evaluation:<History>, whose fields are <from>-<to>
-- ARGV[1]  first step
-- ARGV[2]  the step after the last: steps folded into the snapshot
-- ARGV[3]  the steps' entries in the losses, 16 bytes each, in order
-- ARGV[4]  TTL of the keys, milliseconds
-- ARGV[5]  digest of the job's plan, to which the first commit binds the ledger
-- ARGV[6…] fields of KEYS[4]; if one is missing, the script refuses the commit
--
-- Output   {done, committed, more}
--          done: 1 if this call, or one before, committed the steps by this snapshot;
--          0 if the ledger does not have exactly the steps before ARGV[1], or lost a field
--          committed: the committed steps
--          more: 1 if the log may have chunks of later steps
--
-- Atomicity: one script, all keys in the slot of chunk 0. Idempotent.
-- Cost: O(steps), and O(pending fields).
local control, losses, pending = KEYS[1], KEYS[2], KEYS[3]
local from, to = tonumber(ARGV[1]), tonumber(ARGV[2])

local known = redis.call('HMGET', control, 'committed', 'snapshot')
local committed, newest = tonumber(known[1] or '0'), tonumber(known[2] or '-1')
if newest == to and committed >= to then
  return {1, committed, redis.call('EXISTS', pending)}
end
if committed ~= from then
  return {0, committed, 0}
end
for i = 6, #ARGV do
  if redis.call('HEXISTS', KEYS[4], ARGV[i]) == 0 then
    return {0, committed, 0}
  end
end

redis.call('PEXPIRE', control, ARGV[4]) -- first, as in raise.lua: older snapshots can be deleted then
local some = {}
for i = 1, #ARGV[3], 16 do
  some[#some + 1] = string.sub(ARGV[3], i, i + 15)
  if #some == 1000 or i + 16 > #ARGV[3] then
    redis.call('RPUSH', losses, unpack(some))
    some = {}
  end
end
redis.call('HSET', control, 'committed', ARGV[2], 'snapshot', ARGV[2])
redis.call('HSETNX', control, 'plan', ARGV[5])
redis.call('HDEL', control, 'by')
for _, field in ipairs(redis.call('HKEYS', pending)) do
  if tonumber(string.match(field, '^%d+')) < to then
    redis.call('HDEL', pending, field)
  end
end
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], ARGV[4])
end
return {1, to, redis.call('EXISTS', pending)}
