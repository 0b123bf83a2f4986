-- arrive records that the partial of a node, stored just before it in the same
-- pipeline, has arrived in one chunk, and tells when the arrived nodes cover
-- the reduction tree. Nothing of the vector passes through it.
--
-- KEYS[1]  partials of (chunk, step)
-- KEYS[2]  log of the chunk (same slot)
-- KEYS[3]  steps of the chunk (same slot)
-- ARGV[1]  step
-- ARGV[2]  node
-- ARGV[3]  checksum of the partial's bytes, hexadecimal
-- ARGV[4]  life of the partials from now on, milliseconds
-- ARGV[5]  life of the steps from now on, milliseconds
--
-- Output   {"committed"}         the root is in the log or trimmed off it; the partials were dropped
--          {"missing"}           the partial is not stored; nothing was recorded
--          {"differs"}           the node arrived before with another checksum; nothing was recorded
--          {"arrived"}           recorded; the tree is not covered yet
--          {"complete", n, ...}  recorded; the arrived nodes, in no order, cover the tree
--
-- Atomicity: one script, one slot. Repeating it changes nothing but the TTL.
-- Cost: O(log M) field operations; O(nodes) once the tree is covered.
local partials, log = KEYS[1], KEYS[2]
local step, node, sum = ARGV[1], ARGV[2], ARGV[3]

redis.call('PEXPIRE', KEYS[3], ARGV[5])
local floor = tonumber(redis.call('HGET', log, 'floor') or '0')
if tonumber(step) < floor or redis.call('HEXISTS', log, step) == 1 then
  redis.call('UNLINK', partials)
  return {'committed'}
end
if redis.call('HEXISTS', partials, node) == 0 then
  return {'missing'}
end
if redis.call('HSETNX', partials, 'd' .. node, sum) == 0 and redis.call('HGET', partials, 'd' .. node) ~= sum then
  return {'differs'}
end
redis.call('PEXPIRE', partials, ARGV[4])

-- c<n> marks that the leaves below n are covered: n arrived, or both its children are marked.
local n = tonumber(node)
redis.call('HSET', partials, 'c' .. node, '')
while n > 1 do
  local sibling = n % 2 == 0 and n + 1 or n - 1
  if redis.call('HEXISTS', partials, string.format('c%.0f', sibling)) == 0 then
    break
  end
  n = math.floor(n / 2)
  redis.call('HSET', partials, string.format('c%.0f', n), '')
end
if redis.call('HEXISTS', partials, 'c1') == 0 then
  return {'arrived'}
end

local reply = {'complete'}
for _, field in ipairs(redis.call('HKEYS', partials)) do
  if string.sub(field, 1, 1) == 'd' then
    reply[#reply + 1] = string.sub(field, 2)
  end
end
return reply
