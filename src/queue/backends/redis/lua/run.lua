-- Runs the verb and answers.

local verb, number, payload = q.asked[1], q.asked[2], q.asked[7]
local connection, previous = q.order()
if number == 0 then
  if q.isEarly(previous) then return q.gap() end
  return cmsgpack.pack(q.verbs[verb](payload))
end

local turn, fence = q.turnOf(number), q.fence()
local kept, known = q.keptIn(turn, fence)
if connection < known[1] then return redis.error_reply('STALE the handle has another connection') end
local again = q.answerAgain(kept, number)
if again then return again end
if previous > known[2] then return q.gap() end

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
