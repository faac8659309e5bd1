-- What goes with a request whose failure cascades.

-- Tags of those accepted after a request in its lane. `given`: by lane, from which seq on they were given already, so that each lane is
-- read once, however many of it cascade.
local function behind(row, given)
  local name, seq = row[LANE], row[SEQ]
  local before = given[name]
  if before and seq >= before then return {} end
  given[name] = seq
  q.sync(WAITING)
  local to = before and name .. q.tagOf(before) or name .. string.rep('\255', 7)
  local tags = call('ZRANGEBYLEX', WAITING, '(' .. name .. q.tagOf(seq), '(' .. to)
  for index, member in ipairs(tags) do tags[index] = member:sub(LANE_TAG) end
  return tags
end

local function waiters(row)
  if not q.has(row, HAS_WAITERS) then return {} end
  q.sync(AFTER)
  local tags = q.under(AFTER, q.tagOf(row[SEQ]), -1)
  for index, member in ipairs(tags) do tags[index] = member:sub(7) end
  return tags
end

-- Whose end is nobody's but its own: what has ended, and what is being sent or unknown.
local function isSpared(row)
  local state = row[STATE]
  return state >= IS_SUCCEEDED or state == IS_SENDING or state == IS_UNKNOWN
end

-- Who goes with a failed request, the last accepted first.
local function victimsOf(failed, takesLane)
  local victims, open, seen, given = {}, { failed }, { [failed] = true }, {}
  while #open > 0 do
    local tags, found = {}, {}
    local function add(some)
      for _, tag in ipairs(some) do tags[#tags + 1] = tag end
    end
    for _, row in ipairs(open) do
      add(waiters(row))
      local isLaneLost = q.isOnFailure(row, CASCADES)
      if row == failed then isLaneLost = takesLane end
      if isLaneLost and row[LANE] then add(behind(row, given)) end
    end
    q.load(tags)
    for _, tag in ipairs(tags) do
      local row = q.rows[tag]
      if row and not seen[row] and not isSpared(row) then
        seen[row] = true
        found[#found + 1] = row
        victims[#victims + 1] = row
      end
    end
    open = found
  end
  table.sort(victims, function(a, b) return a[SEQ] > b[SEQ] end)
  return victims
end

-- Ends who goes with a request, before it ends itself. All are known before the first one ends; in this order none of them moves another.
-- `takesLane`: those behind it in its lane too.
function q.abandon(failed, takesLane, now, report)
  local victims, places = victimsOf(failed, takesLane), {}
  for index, row in ipairs(victims) do places[index] = row[PLACE] end
  q.loadPlaces(places)
  for _, row in ipairs(victims) do
    q.touch(row)
    row[BUNDLE] = failed[ID]
    q.finishAlone(row, IS_DEAD, BECAUSE_ABANDONED, now, report)
    q.noteEnd(report, row)
  end
end
