-- arrive records that the partial of a node has arrived in one chunk, and reports
-- whether the arrived nodes and this one cover the reduction tree. The script does
-- not keep a partial that completes the cover, unless it was recorded before: the
-- caller still has it.
--
-- KEYS[1]  partials of (chunk, step)
-- KEYS[2]  log of the chunk (same slot)
-- KEYS[3]  steps of the chunk (same slot)
-- ARGV[1]  step
-- ARGV[2]  node
-- ARGV[3]  how: "ask", only report whether the node would complete the cover;
--          "stored", its floats were stored just before in the same pipeline;
--          "inline", its floats are here
-- ARGV[4]  the partial's seal; empty for "ask"
-- ARGV[5]  TTL of the partials, milliseconds
-- ARGV[6]  TTL of the steps, milliseconds
-- ARGV[7]  "inline" only: the floats
-- ARGV[8]  "inline" only: maximum bytes of floats to return
--
-- Output   {"committed"}         the root is in the log, or was trimmed from it; the partials were deleted
--          {"missing"}           the floats are not stored; nothing was recorded
--          {"differs"}           the node arrived before with another seal; nothing was recorded
--          {"again"}             "ask": the node arrived before; call again as "stored"
--          {"open"}              "ask": it would not complete the cover
--          {"arrived"}           recorded; the tree is not covered yet
--          {"complete", n, ...}  the nodes, in no order, that have arrived; they and ARGV[2] cover the tree
--          {"values", n, seal, floats, ...}  the same, with the partials of all but ARGV[2]
--
-- Atomicity: one script, one slot. Repeating it changes nothing but the TTL.
-- Cost: O(log M) field operations; O(nodes) once the tree is covered. The script
-- handles floats only for "inline", which the caller uses for small chunks.
local partials, log = KEYS[1], KEYS[2]
local step, node, how, seal = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local logged = redis.call('HMGET', log, 'floor', 's' .. step)
if logged[2] or tonumber(step) < tonumber(logged[1] or '0') then
  redis.call('UNLINK', partials)
  return {'committed'}
end
local was = redis.call('HGET', partials, 'd' .. node)
if was and how == 'ask' then
  return {'again'}
end
if was and was ~= seal then
  return {'differs'}
end

-- c<n> marks that the leaves below n are covered: n arrived, or both its children
-- are marked. The script never records a node that would mark the root. So the
-- recorded nodes do not cover the tree without this one.
local n = tonumber(node)
local fields = {'d' .. node, seal, 'c' .. node, ''}
while n > 1 do
  local sibling = n % 2 == 0 and n + 1 or n - 1
  if redis.call('HEXISTS', partials, string.format('c%.0f', sibling)) == 0 then
    break
  end
  n = math.floor(n / 2)
  fields[#fields + 1] = string.format('c%.0f', n)
  fields[#fields + 1] = ''
end
local complete = n == 1

if not was and how == 'stored' and complete then
  redis.call('HDEL', partials, node)
elseif not was and how ~= 'ask' and not complete then
  if how == 'inline' then
    fields[#fields + 1] = node
    fields[#fields + 1] = ARGV[7]
    redis.call('SADD', KEYS[3], step)
  elseif redis.call('HEXISTS', partials, node) == 0 then
    return {'missing'}
  end
  redis.call('HSET', partials, unpack(fields))
end
if how ~= 'ask' then
  redis.call('PEXPIRE', KEYS[3], ARGV[6])
  redis.call('PEXPIRE', partials, ARGV[5])
end
if not complete then
  return {how == 'ask' and 'open' or 'arrived'}
end

local nodes = {}
for _, field in ipairs(redis.call('HKEYS', partials)) do
  if string.sub(field, 1, 1) == 'd' then
    nodes[#nodes + 1] = string.sub(field, 2)
  end
end
if how ~= 'inline' or #nodes * #ARGV[7] > tonumber(ARGV[8]) then
  return {'complete', unpack(nodes)}
end
local reply = {'values'}
for _, other in ipairs(nodes) do
  if other ~= node then
    local value = redis.call('HMGET', partials, 'd' .. other, other)
    reply[#reply + 1] = other
    reply[#reply + 1] = value[1]
    reply[#reply + 1] = value[2]
  end
end
return reply
