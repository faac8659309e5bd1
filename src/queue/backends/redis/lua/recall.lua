-- {number}: what that call answered if it took effect, else nothing; from now on it will not.
q.verbs.recall = function(p)
  local connection = q.order()
  local kept, known = q.keptOf(p[1])
  call('HDEL', ANSWERS, 'none')
  call('HSET', ANSWERS, q.fence(), cmsgpack.pack({ math.max(known[1], connection), known[2] }))
  return { q.answerAgain(kept, p[1]) or false }
end
