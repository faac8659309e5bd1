-- Leases ready requests, takes unknown ones, extends leases.

-- Makes due requests ready, longest due first. Returns how many.
local function promote(ids, now, limit)
  local due = q.withSome(ids, IS_SCHEDULED)
  if #due == 0 or limit <= 0 then return 0 end
  local tags = q.best(DUE, due, now, limit)
  q.load(tags)
  for _, tag in ipairs(tags) do
    local row = q.rows[tag]
    q.touch(row)
    row[STATE], row[DUE_AT] = IS_READY, false
  end
  return #tags
end

-- {worker, leaseUntil, now, channels: {channel, senders, most}, promotions}
q.verbs.claim = function(p)
  local worker, now = p[1], p[3]
  local untilWhen = q.leaseEnd(p[2])
  local claimed, report = {}, q.newReport()
  local left = p[5]
  q.placesOf(p[4]) -- reads them all at once
  local placesOf = {}
  for index, channel in ipairs(p[4]) do
    placesOf[index] = q.placesOf({ channel })
    left = left - promote(placesOf[index], now, math.max(left, channel[3]))
  end
  for index, channel in ipairs(p[4]) do
    local ids, wanted = placesOf[index], channel[3]
    while wanted > 0 do
      q.sync(READY)
      local some = q.withSome(ids, IS_READY)
      local tags = #some == 0 and {} or q.best(READY, some, false, wanted)
      q.load(tags)
      local ended = 0
      for _, tag in ipairs(tags) do
        local row = q.rows[tag]
        if row[EXPIRES] and row[EXPIRES] <= now and not q.has(row, UNRESOLVED) then
          local moved = #report.moved
          q.finishAndNote(row, IS_DEAD, BECAUSE_EXPIRED, now, report)
          ended = ended + 1
          -- What comes forward behind it may go before the others that were looked up.
          if #report.moved > moved then break end
        else
          q.lease(row, worker, untilWhen, now)
          claimed[#claimed + 1] = row
          wanted = wanted - 1
        end
      end
      -- Only the end of an expired one makes room for more than the first look found.
      if ended == 0 then break end
    end
  end
  q.isWorthTelling = #report.ended > 0
  q.flush()
  local records, tags = q.recordsOf(claimed)
  q.leasedTags = tags
  return { records, report.ended, report.moved }
end

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
  q.leasedTags = tags
  return { (q.recordsOf(taken)), {}, {} }
end

-- What an earlier, unheard answer of a claim gave, as far as it still holds.
function q.claimedBefore(tags, worker)
  q.load(tags)
  local held = {}
  for _, tag in ipairs(tags) do
    local row = q.rows[tag]
    if row and row[WORKER] == worker then held[#held + 1] = row end
  end
  return { (q.recordsOf(held)), {}, {} }
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
