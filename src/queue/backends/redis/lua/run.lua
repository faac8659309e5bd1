-- Runs the verb and answers. Answers are kept for a while by handle and number: a call whose answer was lost on the way is made
-- again, and takes effect once. A handle's calls take effect in the order of their numbers, and only those of its last connection.

-- The connection this came on, counted by the handle, and the number of the call before it that has no answer yet (0: none).
local connection, previous = string.match(ARGV[2], '^(%d+) (%d+)$')
connection, previous = tonumber(connection), tonumber(previous)

-- What an earlier, unheard call of a number answered, if there was one.
local function answerAgain(kept, number)
  local answer = kept and cmsgpack.unpack(kept)
  if not answer or answer[1] ~= number then return nil end
  if answer[2] then q.need('claim') end
  return answer[2] and cmsgpack.pack(q.claimedBefore(answer[2], answer[3])) or answer[3]
end

local function turnOf(number)
  return q.handle .. ':' .. number % MOST_ANSWERS
end

local verb, number, payload = q.asked[1], q.asked[2], q.asked[7]
local fence = q.handle .. ':fence'

-- {number}: what that call answered if it took effect, else nothing; from now on it will not.
q.verbs.recall = function(p)
  local kept = call('HMGET', ANSWERS, turnOf(p[1]), fence)
  local known = kept[2] and cmsgpack.unpack(kept[2]) or { 0, 0 }
  call('HDEL', ANSWERS, 'none')
  call('HSET', ANSWERS, fence, cmsgpack.pack({ math.max(known[1], connection), known[2] }))
  return { answerAgain(kept[1], p[1]) or false }
end

q.need(q.asked[8])
if number == 0 then return cmsgpack.pack(q.verbs[verb](payload)) end

local turn = turnOf(number)
local kept = call('HMGET', ANSWERS, turn, fence)
local known = kept[2] and cmsgpack.unpack(kept[2]) or { 0, 0 }
if connection < known[1] then return redis.error_reply('STALE the handle has another connection') end
local again = answerAgain(kept[1], number)
if again then return again end
if previous > known[2] then return redis.error_reply('GAP an earlier call has not been made') end

-- Out of memory, a server refuses a script at its first write that may grow: nothing new is accepted then, but what is under way may be
-- finished, so every other verb begins with a write that cannot grow.
if verb ~= 'enqueue' then call('HDEL', ANSWERS, turn) end
local answer = q.verbs[verb](payload)
q.flush()
local packed = cmsgpack.pack(answer)
if verb == 'leave' then return packed end
local made = cmsgpack.pack({ connection, math.max(known[2], number) })
if q.isChanged then
  local answered = cmsgpack.pack({ number, q.leasedTags, q.leasedTags and payload[1] or packed })
  call('HSET', ANSWERS, fence, made, turn, answered)
  if q.isWorthTelling then call('PUBLISH', q.asked[6], q.news()) end
else
  call('HSET', ANSWERS, fence, made)
end
return packed
