-- Deletes ended records, and what lapsed of the shared values.

local PAGE = 500
local ENDED_TAG, ENDED_TIME = 7, 13

-- A live request comes after it, or a subscriber has not been told of it.
local function mustStay(row, keepAfter)
  return row[ENDED_SEQ] > keepAfter or (q.has(row, HAS_WAITERS) and #q.under(AFTER, q.tagOf(row[SEQ]), 1) > 0)
end

local function drop(row)
  local known = q.touch(row)
  local tag, name = known[M_TAG], row[FINGERPRINT]
  if q.has(row, HAS_KEY) then q.write(KEYED, q.fixedOf(row)[F_KEY], false) end
  if name then
    q.loadAlike({ name })
    local kept, tags = {}, q.alike[name]
    for from = 1, #tags, 6 do
      local other = tags:sub(from, from + 5)
      if other ~= tag then kept[#kept + 1] = other end
    end
    q.writeAlike(name, table.concat(kept))
  end
  known[M_GONE] = true
  q.commit(row)
  q.rows[tag] = false
  q.write(IDS, row[ID], false)
  q.write(RECORDS, tag, false)
  q.write(ROWS, tag, false)
  q.countInBlock(row[SEQ], -1)
  return row[ID]
end

-- {now, limit, keepAfter, ids or false, succeededMs, deadMs, maxRecords, maxBytes}
q.verbs.purge = function(p)
  local now, limit, keepAfter, totals = p[1], p[2], p[3], q.totals
  local purged = {}

  if p[4] then
    for _, tag in ipairs(q.tagsOf(p[4])) do
      local row = q.rowAt(tag)
      if #purged >= limit then break end
      if row and row[STATE] >= IS_SUCCEEDED and not mustStay(row, keepAfter) then purged[#purged + 1] = drop(row) end
    end
    return { purged, #purged >= limit }
  end

  local function exceeds()
    return totals[ENDED] > p[7] or totals[ENDED_BYTES] > p[8]
  end

  local function always()
    return true
  end

  -- Records lie in the order of their ends, which is that of their times unless a clock stepped back.
  local isInOrder, latestOfAll = true, totals[LAST_ENDED_AT]
  local function sweep(key, before, isWanted)
    local from, latest = 0, -math.huge
    while true do
      local names, tags = call('ZRANGE', key, from, from + PAGE - 1), {}
      for _, name in ipairs(names) do
        -- Ends come in this order: those of which a subscriber has not been told are all behind it.
        if struct.unpack('>I6', name) > keepAfter then
          isInOrder = false -- as far as is known
          names = {}
          break
        end
        local endedAt = struct.unpack('>d', name, ENDED_TIME)
        if endedAt < latest then isInOrder = false end
        latest = math.max(latest, endedAt)
        latestOfAll = math.max(latestOfAll, endedAt)
        if endedAt < before then
          tags[#tags + 1] = name:sub(ENDED_TAG, ENDED_TAG + 5)
        elseif totals[STEPPED_BACK] == 0 then
          names = {}
          break
        end
      end
      q.load(tags)
      for _, tag in ipairs(tags) do
        if #purged >= limit or not isWanted() then return false end
        local row = q.rows[tag]
        if row and not mustStay(row, keepAfter) then purged[#purged + 1] = drop(row) end
      end
      if #names < PAGE then return true end
      from = from + PAGE
    end
  end

  local isWhole = sweep(WELL, now - p[5], always)
  isWhole = sweep(DEAD, now - p[6], always) and isWhole
  if exceeds() then sweep(WELL, math.huge, exceeds) end
  if exceeds() then sweep(DEAD, math.huge, exceeds) end
  if totals[STEPPED_BACK] == 1 and isWhole and isInOrder then
    -- What ends now before one of those that are left is out of order again.
    totals[STEPPED_BACK], totals[LAST_ENDED_AT] = 0, latestOfAll
  end
  q.forgetLapsed(now, limit)
  local isLimited = #purged >= limit
  if (totals[BOUND_IDS] or 0) > 0 then
    q.need('bindings')
    isLimited = q.forgetBindings(now - 2 * p[6], now, limit) or isLimited
  end
  if call('EXISTS', CLOCKS) == 1 then
    q.need('flows')
    q.commitAll()
    isLimited = q.forgetFlows(now - 2 * p[6], limit) or isLimited
  end
  return { purged, isLimited }
end
