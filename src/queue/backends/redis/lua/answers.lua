-- Answers are kept for a while by handle and number: a call whose answer was lost on the way is made again, and takes effect once. A
-- handle's calls take effect in the order of their numbers, and only those of its last connection; what it reads has all of them before it.

-- The connection this came on, counted by the handle, and the number of the call before it that has no answer yet (0: none).
function q.order()
  local connection, previous = string.match(ARGV[2], '^(%d+) (%d+)$')
  return tonumber(connection), tonumber(previous)
end

-- Where the answer of a call is kept; and the last connection of the handle with the last number that took effect.
function q.turnOf(number)
  return q.handle .. ':' .. number % MOST_ANSWERS
end

function q.fence()
  return q.handle .. ':fence'
end

-- What is kept in both: the answer as it is, connection and number as a list.
function q.keptIn(turn, fence)
  local kept = call('HMGET', ANSWERS, turn, fence)
  return kept[1], kept[2] and cmsgpack.unpack(kept[2]) or { 0, 0 }
end

-- Whether what only reads came before a write that was called before it: the server may have refused that one.
function q.isEarly(previous)
  if previous == 0 then return false end
  local kept = call('HGET', ANSWERS, q.fence())
  return previous > (kept and cmsgpack.unpack(kept)[2] or 0)
end

function q.gap()
  return redis.error_reply('GAP an earlier call has not been made')
end

-- What an earlier, unheard call of a number answered, if there was one.
function q.answerAgain(kept, number)
  local answer = kept and cmsgpack.unpack(kept)
  if not answer or answer[1] ~= number then return nil end
  if not answer[2] then return answer[3] end
  q.need('records')
  return cmsgpack.pack(q.claimedBefore(answer[2], answer[3]))
end
