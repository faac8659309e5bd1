-- Repairs what dead workers left and ends what is past its deadline.

local LEASE_TAG = 10

-- {worker, now, limit, boot, {worker that no longer runs, …}}
q.verbs.recover = function(p)
  local worker, now, limit = p[1], p[2], p[3]
  local gone, verdicts, workers = {}, {}, q.allWorkers()
  for _, name in ipairs(p[5]) do gone[name] = true end

  local function isDead(name)
    if verdicts[name] == nil then
      local row = workers[name]
      verdicts[name] = name ~= worker and (not row or gone[name] or q.isLapsed(row, p[4])) or false
    end
    return verdicts[name]
  end

  local function isHomeless(id)
    local sender = q.placeAt(id)[P_SENDER]
    return sender:sub(1, 8) == 'process:' and isDead(sender:sub(9))
  end

  -- What is being sent is as much as all workers send at once.
  local function lost()
    local tags, found = call('ZRANGE', LEASES, 0, -1), {}
    for index, name in ipairs(tags) do tags[index] = name:sub(LEASE_TAG) end
    q.load(tags)
    for _, tag in ipairs(tags) do
      local row = q.rows[tag]
      if (row[UNTIL] or 0) <= q.leaseNow() or isDead(row[WORKER]) then found[#found + 1] = tag end
    end
    table.sort(found)
    return found
  end

  -- Of each state the first so many of what waits only for dead workers.
  local function stranded()
    local byRoom, found = {}, {}
    for _, id in ipairs(q.allPlaces()) do
      local place = q.places[id]
      if isHomeless(id) then
        local name = q.roomName(place[P_CHANNEL], place[P_SENDER])
        byRoom[name] = byRoom[name] or {}
        table.insert(byRoom[name], id)
      end
    end
    for _, ids in pairs(byRoom) do
      for _, key in ipairs({ READY, DUE, DOUBT }) do
        for _, tag in ipairs(q.best(key, ids, false, limit)) do found[#found + 1] = tag end
      end
      for _, state in ipairs({ IS_BLOCKED, IS_HELD }) do
        local aside = {}
        for _, id in ipairs(ids) do
          for _, name in ipairs(q.under(BOUND, struct.pack('>I4B', id, state), limit)) do aside[#aside + 1] = name:sub(BOUND_TAG) end
        end
        table.sort(aside)
        for index = 1, math.min(limit, #aside) do found[#found + 1] = aside[index] end
      end
    end
    table.sort(found)
    return found
  end

  local broken = lost()
  if #broken < limit then
    for _, tag in ipairs(stranded()) do broken[#broken + 1] = tag end
  end

  local report = q.newReport()
  local function repair(row)
    local state, homeless = row[STATE], isHomeless(row[PLACE])
    local wasLeased = state == IS_SENDING
    local goesUnknown = wasLeased and not q.has(row, HARMLESS)
    q.touch(row)
    -- The flag counts for what the engine noted as well: a reader lets it override the notes.
    if wasLeased then q.mark(row, UNRESOLVED, true) end
    if homeless and q.has(row, EPHEMERAL) and not goesUnknown and state ~= IS_UNKNOWN then
      q.finishAndNote(row, IS_DEAD, BECAUSE_EXPIRED, now, report)
    else
      if homeless then q.setSender(row, 'principal:' .. (q.fixedOf(row)[F_PRINCIPAL] or 'anonymous')) end
      if goesUnknown then
        q.move(row, IS_UNKNOWN, BECAUSE_LEASE_LOST, now, now, report)
      elseif homeless and state ~= IS_UNKNOWN and state ~= IS_HELD then
        q.move(row, IS_HELD, BECAUSE_AUTH, false, now, report)
      elseif wasLeased then
        q.move(row, IS_READY, BECAUSE_LEASE_LOST, false, now, report)
      end
      q.noteMove(report, row)
    end
  end

  q.load(broken)
  for index = 1, math.min(limit, #broken) do
    local row = q.rows[broken[index]]
    -- It may have ended with one before it.
    if row[STATE] < IS_SUCCEEDED then repair(row) end
  end

  local more = #broken >= limit
  if not more then
    for name, row in pairs(workers) do
      if isDead(name) then q.forgetWorker(name, row) end
    end
  end
  q.isWorthTelling = #report.ended > 0 or #report.moved > 0
  return { report.moved, report.ended, more }
end

-- {now, limit}
q.verbs.expire = function(p)
  local ids, report = {}, q.newReport()
  for _, id in ipairs(q.allPlaces()) do
    if q.places[id][EXPIRING] > 0 then ids[#ids + 1] = id end
  end
  local due = #ids == 0 and {} or q.best(EXPIRY, ids, p[1], p[2])
  q.load(due)
  for _, tag in ipairs(due) do
    -- It may have ended with one before it.
    if q.rows[tag][STATE] < IS_SUCCEEDED then q.finishAndNote(q.rows[tag], IS_DEAD, BECAUSE_EXPIRED, p[1], report) end
  end
  q.isWorthTelling = #due > 0
  return { report.ended, report.moved }
end
