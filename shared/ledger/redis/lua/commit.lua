-- commit records that chunks of a step's root are in the log. It commits the step
-- if no chunk is missing any more and every earlier step is committed. Then it
-- also commits later steps whose chunks are all in the log.
--
-- KEYS[1]  control
-- KEYS[2]  losses
-- KEYS[3]  pending
-- KEYS[4]  log of chunk 0               (used when the job has one chunk)
-- KEYS[5]  partials of (chunk 0, step)  (used when the job has one chunk)
-- KEYS[6]  snapshot of chunk 0          (used when the job has one chunk)
-- ARGV[1]  step
-- ARGV[2]  number of chunks of the job
-- ARGV[3]  the step's entry in the losses, 16 bytes
-- ARGV[4]  token of the call, by which a retransmitted call recognizes its commit
-- ARGV[5]  TTL of the keys, milliseconds
-- ARGV[6]  seal of the root's only chunk, to be put into the log; empty: the
--          caller has put the chunks there
-- ARGV[7]  floats of that chunk; empty: the caller has put them there, before
--          this in the same pipeline
-- ARGV[8]  digest of the job's plan, to which the first commit binds the ledger
-- ARGV[9…] chunks that are in the log; none: only commit steps from pending
--
-- Output   1  this call committed the step
--          0  it did not
--         -1  the job has one chunk and its root, or its floats, are not in the log; nothing was done
--         -2  the log has another entry than ARGV[6]; nothing was done
--
-- Atomicity: one script, all keys in the slot of chunk 0. The caller has put
-- the chunks into the log before. With one chunk the script checks this, or puts
-- the chunk there, and deletes the step's partials. Repeating it changes nothing
-- but the TTL.
-- Cost: O(chunks named), and O(chunks of the job) for each step committed from
-- pending. The script handles floats only for a small root of one chunk.
--
-- The script renews the TTL of a key if the key is new, and every 64 steps. So the
-- keys of a job that takes longer than the TTL for 64 steps expire.
local control, losses, pending = KEYS[1], KEYS[2], KEYS[3]
local step, total, named = tonumber(ARGV[1]), tonumber(ARGV[2]), #ARGV - 8
local committed = tonumber(redis.call('HGET', control, 'committed') or '0')

local function renew(key)
  if step % 64 == 0 or redis.call('PTTL', key) == -1 then
    redis.call('PEXPIRE', key, ARGV[5])
  end
end

if total == 1 and named == 1 then
  if ARGV[6] == '' then
    if step >= committed and redis.call('HEXISTS', KEYS[4], 's' .. ARGV[1]) == 0 then
      return -1
    end
  else
    local logged = redis.call('HMGET', KEYS[4], 'floor', 's' .. ARGV[1])
    if logged[2] and logged[2] ~= ARGV[6] then
      return -2
    end
    if step < tonumber(logged[1] or '0') then
      redis.call('HDEL', KEYS[4], 's' .. ARGV[1], ARGV[1], 'e' .. ARGV[1])
    elseif not logged[2] then
      if ARGV[7] ~= '' then
        redis.call('HSET', KEYS[4], ARGV[1], ARGV[7], 's' .. ARGV[1], ARGV[6])
      elseif redis.call('HEXISTS', KEYS[4], ARGV[1]) == 1 then
        redis.call('HSET', KEYS[4], 's' .. ARGV[1], ARGV[6])
      else
        return -1
      end
      renew(KEYS[4])
      if step % 64 == 0 then
        redis.call('PEXPIRE', KEYS[6], ARGV[5])
      end
    end
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
  for i = 9, #ARGV do
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
  renew(pending)
end
if committed > before then
  redis.call('HSET', control, 'committed', string.format('%.0f', committed), 'by', ARGV[4])
  redis.call('HSETNX', control, 'plan', ARGV[8])
  renew(control)
  renew(losses)
end
return committed > step and 1 or 0
