-- Records how attempts ended, and changes requests that nobody is sending.

local DONE, NOT_DONE, NOT_FOUND = 0, 1, 2
local KEEP_TOLD, NOW_TOLD = 0, 1

local function canMove(from, to)
  return bit.band(MOVES[from], 2 ^ to) ~= 0
end

-- {id, from, neverSent, callers, to, patch, reason, bindings or false}
local function isAllowed(row, change)
  local state = row[STATE]
  if state == IS_SENDING or bit.band(change[2], 2 ^ state) == 0 then return false end
  if change[3] and row[FIRST_SENT] then return false end
  if change[4] and row[CALLERS] ~= change[4] then return false end
  if change[7] and row[REASON] ~= change[7] then return false end
  if not change[5] then return true end
  local to = change[5][1]
  -- Behind its lane's head a request waits or is set aside, nothing else.
  return to ~= IS_SENDING and not (to == IS_UNKNOWN and q.has(row, BEHIND)) and canMove(state, to)
end

local function setResult(row, result)
  q.memo[row][M_TAIL], row[RESULT_BYTES] = result[1], result[2]
end

local function setProgress(row, text, isUnresolved)
  row[PROGRESS] = text
  q.mark(row, UNRESOLVED, isUnresolved)
end

-- Puts other content into a record; what never changes stands between it and the row.
local function setContent(row, content)
  local known = q.memo[row]
  local record = known[M_STORED] or call('HGET', RECORDS, known[M_TAG])
  local behindRow = cmsgpack.unpack_one(record)
  local behindFixed = cmsgpack.unpack_one(record, behindRow)
  known[M_STORED] = record:sub(1, behindFixed == -1 and #record or behindFixed) .. content
  q.write(RECORDS, known[M_TAG], known[M_STORED])
end

local function applyPatch(row, patch, now)
  if patch.priority then row[PRIORITY] = patch.priority end
  if patch.expires ~= nil then row[EXPIRES] = patch.expires end
  if patch.base then row[BASE] = patch.base ~= 'null' and patch.base end
  if patch.content then setContent(row, patch.content) end
  if patch.sender then q.setSender(row, patch.sender) end
  if patch.rank ~= nil then
    q.need('flows')
    q.rerank(row, patch.rank, now)
  end
  if patch.raise and row[STATE] < IS_SUCCEEDED then q.raise(row, patch.raise) end
  if patch.progress then setProgress(row, patch.progress[1], patch.progress[2]) end
  if patch.told ~= nil then q.mark(row, TOLD, patch.told) end
  if patch.replayedAs then row[REPLAYED_AS] = patch.replayedAs end
  if patch.callers then row[CALLERS] = row[CALLERS] + patch.callers end
  if patch.result then setResult(row, patch.result) end
end

local function apply(row, change, now, report)
  if change[8] then q.bind(row, change[8]) end -- which may commit what was changed before
  q.touch(row)
  if change[6] then applyPatch(row, change[6], now) end
  local to = change[5]
  if not to then return end
  q.move(row, to[1], to[2], to[3], now, report)
  if row[STATE] >= IS_SUCCEEDED then q.noteEnd(report, row) end
end

local function amendOther(row, change, now, report)
  if not row or not isAllowed(row, change) then return end
  local before = row[STATE]
  apply(row, change, now, report)
  if row[STATE] ~= before and row[STATE] < IS_SUCCEEDED then q.noteMove(report, row) end
end

-- Finds out which local ids are bound of those in lists of bindings (false: none).
local function loadBound(lists)
  local names = {}
  for _, bindings in ipairs(lists) do
    for _, binding in ipairs(bindings or {}) do names[#names + 1] = binding[1] end
  end
  if #names == 0 then return end
  q.need('bindings')
  q.loadBindings(names)
end

-- {now, {{id, from, neverSent, callers, to, patch, reason, bindings or false}, …}}
q.verbs.amend = function(p)
  local ids, bound, results = {}, {}, {}
  for index, change in ipairs(p[2]) do
    ids[index] = change[1]
    bound[index] = change[8]
  end
  loadBound(bound)
  local tags = q.tagsOf(ids)
  for index, change in ipairs(p[2]) do
    local row = q.rowAt(tags[index])
    if not row then
      results[index] = { NOT_FOUND }
    elseif not isAllowed(row, change) then
      results[index] = { NOT_DONE, row[STATE] }
    else
      local report = q.newReport()
      apply(row, change, p[1], report)
      results[index] = { DONE, row[STATE], false, report.ended, report.moved }
      q.isWorthTelling = true
    end
  end
  return results
end

-- Binds local ids, ends and amends other requests: {bindings or false, ends, changes}.
local function takeEffects(row, effects, now, report)
  if effects[1] then q.bind(row, effects[1]) end
  local ids, byId = {}, {}
  for _, other in ipairs(effects[2]) do ids[#ids + 1] = other[1] end
  for _, change in ipairs(effects[3]) do ids[#ids + 1] = change[1] end
  for index, tag in ipairs(q.tagsOf(ids)) do byId[ids[index]] = tag end
  for _, other in ipairs(effects[2]) do
    local found = q.rowAt(byId[other[1]])
    if found and found ~= row and found[STATE] ~= IS_SENDING and canMove(found[STATE], other[2]) then
      q.finishAndNote(found, other[2], other[3], now, report)
    end
  end
  for _, change in ipairs(effects[3]) do
    if change[1] ~= row[ID] then amendOther(q.rowAt(byId[change[1]]), change, now, report) end
  end
end

-- {id, token, state, reason, dueAt, progress, unresolved, notSent, told, result, effects or false, patch or false}
local function settleOne(row, one, now)
  local state = row[STATE]
  if (state ~= IS_SENDING and state ~= IS_UNKNOWN) or row[TOKEN] ~= one[2] or not canMove(state, one[3]) then
    return { NOT_DONE, state }
  end
  local report = q.newReport()
  if one[11] then takeEffects(row, one[11], now, report) end
  q.touch(row)
  if one[12] then applyPatch(row, one[12], now) end
  if one[8] and q.has(row, FIRST_LEASE) then
    row[FIRST_SENT] = false
    q.mark(row, FIRST_LEASE, false)
  end
  setProgress(row, one[6], one[7])
  if one[10] then setResult(row, one[10]) end
  if one[9] ~= KEEP_TOLD then q.mark(row, TOLD, one[9] == NOW_TOLD) end
  if one[8] and one[3] == IS_READY and one[4] == BECAUSE_ACCEPTED then
    q.putBack(row, now)
  else
    q.move(row, one[3], one[4], one[5], now, report)
  end
  q.isWorthTelling = true
  return { DONE, row[STATE], row[STATE] >= IS_SUCCEEDED and row[ENDED_SEQ], report.ended, report.moved }
end

-- {now, settlements}
q.verbs.settle = function(p)
  local ids, lanes, bound, results = {}, {}, {}, {}
  for index, one in ipairs(p[2]) do
    ids[index] = one[1]
    if one[11] then
      bound[#bound + 1] = one[11][1]
      for _, change in ipairs(one[11][3]) do bound[#bound + 1] = change[8] end
    end
  end
  loadBound(bound)
  local tags = q.tagsOf(ids)
  for index in ipairs(ids) do
    local row = q.rowAt(tags[index])
    if row and row[LANE] then lanes[#lanes + 1] = row[LANE] end
  end
  if #lanes > 0 then
    q.need('lanes')
    q.loadLanes(lanes)
  end
  for index, one in ipairs(p[2]) do
    local row = q.rowAt(tags[index])
    results[index] = row and settleOne(row, one, p[1]) or { NOT_FOUND }
  end
  return results
end
