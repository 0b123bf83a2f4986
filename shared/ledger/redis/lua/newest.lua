-- newest makes a stored snapshot the newest one, if no newer one exists. It refuses a
-- snapshot that folds steps that are not committed, unless the ledger begins again
-- from it: then it commits these steps. The list of losses then begins with the
-- snapshot, so KEYS[4] must have the earlier losses: a unit that ends with that step.
--
-- KEYS[1]  control
-- KEYS[2]  losses
-- KEYS[3]  pending
-- KEYS[4]  evaluation:<Earlier>, whose fields are <from>-<to>
-- ARGV[1]  steps folded into the snapshot
-- ARGV[2]  TTL of the keys, milliseconds
-- ARGV[3]  '1' if the ledger begins again from the snapshot
-- ARGV[4]  digest of the job's plan, to which the first snapshot binds the ledger
--
-- Output   {newest, raised, committed}
--          newest: the newest snapshot's step, -1 for none; less than ARGV[1] if the
--          snapshot is refused
--          raised: 1 if this call raised the committed steps to ARGV[1], else 0
--          committed: the committed steps
--
-- Atomicity: one script, all keys in the slot of chunk 0. Idempotent.
-- Cost: O(fields of KEYS[4]) to begin, else O(1); O(pending fields) when raised.
local control, losses, pending = KEYS[1], KEYS[2], KEYS[3]
local step = tonumber(ARGV[1])

local newest = tonumber(redis.call('HGET', control, 'snapshot') or '-1')
local committed = tonumber(redis.call('HGET', control, 'committed') or '0')
if step > newest and step > committed then
  local allowed = false
  if ARGV[3] == '1' then
    for _, unit in ipairs(redis.call('HKEYS', KEYS[4])) do
      allowed = allowed or tonumber(string.match(unit, '%-(%d+)$')) == step
    end
  end
  if not allowed then
    return {newest, 0, committed}
  end
end
if step > newest then
  redis.call('PEXPIRE', control, ARGV[2]) -- first, as in raise.lua: the log can be trimmed then
  redis.call('HSET', control, 'snapshot', ARGV[1])
  redis.call('HSETNX', control, 'plan', ARGV[4])
  newest = step
end

local raised = 0
if step > committed then
  raised = 1
  committed = step
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
return {newest, raised, committed}
