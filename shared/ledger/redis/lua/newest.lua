-- newest makes a stored snapshot the newest one, if it is, and the steps it
-- folds committed, if they are not: that is how a ledger begins again from a
-- checkpoint. Losses of steps before such a beginning are not known to it.
--
-- KEYS[1]  control
-- KEYS[2]  losses
-- KEYS[3]  pending
-- ARGV[1]  steps folded into the snapshot
-- ARGV[2]  life of the keys from now on, milliseconds
--
-- Output   {newest, raised}: the newest snapshot's step, and 1 when the
--          committed steps were raised to ARGV[1], else 0
--
-- Atomicity: one script, all keys in the slot of chunk 0. Idempotent.
-- Cost: O(1); O(pending fields) when raised.
local control, losses, pending = KEYS[1], KEYS[2], KEYS[3]
local step = tonumber(ARGV[1])

local newest = tonumber(redis.call('HGET', control, 'snapshot') or '-1')
if step > newest then
  redis.call('HSET', control, 'snapshot', ARGV[1])
  newest = step
end

local raised = 0
if step > tonumber(redis.call('HGET', control, 'committed') or '0') then
  raised = 1
  redis.call('HSET', control, 'committed', ARGV[1], 'base', ARGV[1])
  redis.call('HDEL', control, 'by')
  redis.call('UNLINK', losses)
  for _, field in ipairs(redis.call('HKEYS', pending)) do
    if tonumber(string.match(field, '^%d+')) < step then
      redis.call('HDEL', pending, field)
    end
  end
end
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], ARGV[2])
end
return {newest, raised}
