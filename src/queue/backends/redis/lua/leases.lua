-- Takes unknown requests, extends leases.

-- {worker, now, until, limit, channels: {channel, senders}}
q.verbs.claimUnknown = function(p)
  local worker, now, untilWhen = p[1], p[2], p[3]
  local doubtful, taken = q.withSome(q.placesOf(p[5]), IS_UNKNOWN), {}
  local tags = #doubtful == 0 and {} or q.best(DOUBT, doubtful, now, p[4])
  q.load(tags)
  for index, tag in ipairs(tags) do
    local row = q.rows[tag]
    q.touch(row)
    q.grant(row, worker, untilWhen)
    q.mark(row, FIRST_LEASE, false)
    row[DUE_AT] = untilWhen
    taken[index] = row
  end
  q.flush()
  q.need('records')
  q.leasedTags = tags
  return { (q.recordsOf(taken)), {}, {} }
end

-- {leaseUntil, {id, token}, …}
q.verbs.renew = function(p)
  local ids, results = {}, {}
  for index, one in ipairs(p[2]) do ids[index] = one[1] end
  local tags, untilWhen = q.tagsOf(ids), q.leaseEnd(p[1])
  for index, one in ipairs(p[2]) do
    local row = q.rowAt(tags[index])
    results[index] = row and row[STATE] == IS_SENDING and row[TOKEN] == one[2] or false
    if results[index] then
      q.touch(row)
      row[UNTIL] = untilWhen
    end
  end
  return results
end
