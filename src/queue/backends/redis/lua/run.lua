-- Runs the verb and answers. Answers are kept for a while by handle and number: a call whose answer was lost on the way is made
-- again, and takes effect once.

-- What an earlier, unheard call of this number answered, if there was one.
local function answerAgain(number)
  local kept = call('HGET', ANSWERS, q.handle .. ':' .. number % MOST_ANSWERS)
  local answer = kept and cmsgpack.unpack(kept)
  if not answer or answer[1] ~= number then return nil end
  if answer[2] then q.need('claim') end
  return answer[2] and cmsgpack.pack(q.claimedBefore(answer[2], answer[3])) or answer[3]
end

-- {number}: what that call answered if it took effect, else nothing.
q.verbs.recall = function(p)
  return { answerAgain(p[1]) or false }
end

local verb, number, payload = q.asked[1], q.asked[2], q.asked[7]
q.need(q.asked[8])
if number == 0 then return cmsgpack.pack(q.verbs[verb](payload)) end

local kept = answerAgain(number)
if kept then return kept end

local turn = q.handle .. ':' .. number % MOST_ANSWERS
-- Out of memory, a server refuses a script at its first write that may grow: nothing new is accepted then, but what is under way may be
-- finished, so every other verb begins with a write that cannot grow.
if verb ~= 'enqueue' then call('HDEL', ANSWERS, turn) end
local answer = q.verbs[verb](payload)
q.flush()
local packed = cmsgpack.pack(answer)
if q.isChanged and verb ~= 'leave' then
  call('HSET', ANSWERS, turn, cmsgpack.pack({ number, q.leasedTags, q.leasedTags and payload[1] or packed }))
  if q.isWorthTelling then call('PUBLISH', q.asked[6], q.news()) end
end
return packed
