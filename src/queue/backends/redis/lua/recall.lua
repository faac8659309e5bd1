-- {number}: what that call answered if it took effect, else nothing; from now on it will not.
q.verbs.recall = function(p)
  local connection, fence = q.order(), q.fence()
  local kept, known = q.keptIn(q.turnOf(p[1]), fence)
  call('HDEL', ANSWERS, 'none')
  call('HSET', ANSWERS, fence, cmsgpack.pack({ math.max(known[1], connection), known[2] }))
  return { q.answerAgain(kept, p[1]) or false }
end
