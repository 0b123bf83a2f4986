-- losses reads a page of the losses of committed steps.
--
-- KEYS[1]  control
-- KEYS[2]  losses; entry i belongs to step base + i
-- ARGV[1]  first step wanted
-- ARGV[2]  the step after the last wanted one
-- ARGV[3]  maximum entries to return
--
-- Output   {first, entry, ...}: the step of the first entry, at least ARGV[1], and 16-byte entries
--
-- Atomicity: one script, both keys in the slot of chunk 0. Reads only. Cost: O(base offset / node size + ARGV[3]).
local base = tonumber(redis.call('HGET', KEYS[1], 'base') or '0')
local first = math.max(base, tonumber(ARGV[1]))
local past = math.min(tonumber(ARGV[2]), first + tonumber(ARGV[3]))
if past <= first then
  return {first}
end
local entries = redis.call('LRANGE', KEYS[2], string.format('%.0f', first - base), string.format('%.0f', past - base - 1))
table.insert(entries, 1, first)
return entries
