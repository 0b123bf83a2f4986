-- commit records that chunks of a step's root are in the log and commits the
-- step when they were the last ones missing and every earlier step is
-- committed; then it goes on to later steps that had landed before.
--
-- KEYS[1]  control
-- KEYS[2]  losses
-- KEYS[3]  pending
-- KEYS[4]  log of chunk 0            (used when the job has one chunk)
-- KEYS[5]  partials of (chunk 0, step)  (used when the job has one chunk)
-- ARGV[1]  step
-- ARGV[2]  number of chunks of the job
-- ARGV[3]  the step's entry in the losses, 16 bytes
-- ARGV[4]  token of the call, so that a retransmitted one knows itself
-- ARGV[5]  life of the keys from now on, milliseconds
-- ARGV[6…] chunks that are in the log; none: only go on
--
-- Output   1  this call committed the step
--          0  it did not
--         -1  the job has one chunk and its root is not in the log; nothing was done
--
-- Atomicity: one script, all keys in the slot of chunk 0. The caller has put
-- the chunks into the log before; with one chunk the script makes sure itself,
-- and drops the step's partials. Repeating it changes nothing but the TTL.
-- Cost: O(chunks named), and O(chunks of the job) for each step committed from pending.
local control, losses, pending = KEYS[1], KEYS[2], KEYS[3]
local step, total, named = tonumber(ARGV[1]), tonumber(ARGV[2]), #ARGV - 5
local committed = tonumber(redis.call('HGET', control, 'committed') or '0')

if total == 1 and named == 1 then
  if step >= committed and redis.call('HEXISTS', KEYS[4], ARGV[1]) == 0 then
    return -1
  end
  redis.call('UNLINK', KEYS[5])
end
if step < committed then
  if redis.call('HGET', control, 'by') == ARGV[4] then
    return 1
  end
  return 0
end

local before = committed
if step == committed and named == total and redis.call('EXISTS', pending) == 0 then
  redis.call('RPUSH', losses, ARGV[3])
  committed = committed + 1
else
  if named > 0 then
    redis.call('HSETNX', pending, ARGV[1], ARGV[3])
  end
  for i = 6, #ARGV do
    if redis.call('HSETNX', pending, ARGV[1] .. ':' .. ARGV[i], '') == 1 then
      redis.call('HINCRBY', pending, ARGV[1] .. ':landed', 1)
    end
  end
  while true do
    local s = string.format('%.0f', committed)
    if tonumber(redis.call('HGET', pending, s .. ':landed') or '0') < total then
      break
    end
    redis.call('RPUSH', losses, redis.call('HGET', pending, s))
    redis.call('HDEL', pending, s, s .. ':landed')
    for c = 0, total - 1 do
      redis.call('HDEL', pending, s .. ':' .. string.format('%.0f', c))
    end
    committed = committed + 1
  end
end
if committed > before then
  redis.call('HSET', control, 'committed', string.format('%.0f', committed), 'by', ARGV[4])
end
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], ARGV[5])
end
return committed > step and 1 or 0
