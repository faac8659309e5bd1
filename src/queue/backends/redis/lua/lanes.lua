-- What waits for others: lanes, which pass to the next, and dependants, which go on or are held.

-- Lanes: tag of the head, whether others may wait behind it, and the other names of the lane, one behind the other; false: nobody lives
-- in it. What is such a name itself has, marked, the lane that is meant and its text.
q.lanes = {}

local ANOTHER_NAME = 64

local function readLane(found)
  if found:byte() == ANOTHER_NAME then return { meant = found:sub(2, 9), text = found:sub(10) } end
  return { head = found:sub(1, 6), isLonger = #found > 6, names = found:sub(8) }
end

function q.loadLanes(names)
  local missing = {}
  for _, name in ipairs(names) do
    if q.lanes[name] == nil then
      q.lanes[name] = false
      missing[#missing + 1] = name
    end
  end
  for index, found in ipairs(q.fields(LANES, missing)) do
    if found then q.lanes[missing[index]] = readLane(found) end
  end
end

function q.laneOf(name)
  if q.lanes[name] == nil then q.loadLanes({ name }) end
  return q.lanes[name]
end

function q.writeLane(name, lane)
  q.lanes[name] = lane
  if lane and lane.meant then
    q.write(LANES, name, string.char(ANOTHER_NAME) .. lane.meant .. lane.text)
  else
    -- With names behind it there is always a mark: a lane is longer than it is said to be at worst.
    q.write(LANES, name, lane and lane.head .. ((lane.isLonger or lane.names ~= '') and '+' or '') .. lane.names)
  end
end

-- Nobody lives in a lane any more: its other names are lanes of their own again.
function q.closeLane(name)
  local names = q.laneOf(name) and q.laneOf(name).names or ''
  for from = 1, #names, 8 do q.writeLane(names:sub(from, from + 7), false) end
  q.writeLane(name, false)
end

-- Tag of the request accepted last of those that live in a lane.
function q.tailOf(name, lane)
  if not lane.tail then
    lane.tail = lane.head
    if lane.isLonger then
      local last = call('ZREVRANGEBYLEX', WAITING, '(' .. name .. string.rep('\255', 7), '[' .. name, 'LIMIT', '0', 1)[1]
      if last then lane.tail = last:sub(LANE_TAG) end
    end
  end
  return lane.tail
end

-- A blocked request lends its rank to the head of its lane, which keeps it.
function q.lendRank(row)
  local lane = row[LANE] and q.laneOf(row[LANE])
  local head = lane and q.rowAt(lane.head)
  if head and head ~= row and row[RANK] < head[RANK] then
    q.touch(head)
    head[RANK], head[TURN] = row[RANK], row[TURN]
  end
end

-- Goes on with a blocked request for which something was resolved.
function q.unblock(row, now, report)
  q.touch(row)
  local floor = row[DUE_AT]
  q.settleIn(row, now, floor and floor > now and BECAUSE_NOT_BEFORE or BECAUSE_ACCEPTED, floor, true)
  if row[STATE] ~= IS_BLOCKED then q.noteMove(report, row) end
end

-- Sets a blocked request aside: something before it failed.
local function setAside(row, report)
  row[STATE], row[REASON], row[DUE_AT] = IS_HELD, BECAUSE_DEPENDENCY, false
  q.noteMove(report, row)
end

-- The lane of a request that ended passes to the one accepted next.
function q.freeLane(row, now, report)
  local name = row[LANE]
  local lane = q.laneOf(name)
  if q.has(row, BEHIND) then
    q.mark(row, BEHIND, false)
    if lane then lane.tail = nil end
    return
  end
  local first
  if lane and lane.isLonger then
    q.sync(WAITING)
    first = q.under(WAITING, name, 1)[1]
  end
  if not first then
    q.closeLane(name)
    return
  end
  local successor = q.rowAt(first:sub(LANE_TAG))
  q.sync(RANKS)
  local best = q.under(RANKS, name, 1)[1]
  q.writeLane(name, { head = first:sub(LANE_TAG), isLonger = true, names = lane.names })
  q.touch(successor)
  local lender = best and q.rowAt(best:sub(RANK_TAG))
  if lender and lender[RANK] < successor[RANK] then
    successor[RANK], successor[TURN] = lender[RANK], lender[TURN]
  end
  q.mark(successor, BEHIND, false)
  if successor[STATE] ~= IS_BLOCKED then return end
  -- What waits for something else besides would not go on now.
  if row[STATE] == IS_DEAD and q.isOnFailure(row, HALTS) and not successor[OPEN] then
    setAside(successor, report)
  else
    q.unblock(successor, now, report)
  end
end

-- A request that ended waits for nobody.
function q.untie(row)
  q.mark(row, HAS_PREDECESSORS, false)
  q.sync(BEFORE)
  local own = q.tagOf(row[SEQ])
  for _, member in ipairs(q.under(BEFORE, own, -1)) do
    q.put(BEFORE, member, false)
    q.put(AFTER, member:sub(7) .. own, false)
  end
end

-- A predecessor of a request ended.
local function resolve(row, isWell, now, report)
  q.touch(row)
  row[OPEN] = row[OPEN] > 1 and row[OPEN] - 1
  if isWell then
    if row[STATE] == IS_BLOCKED and not row[OPEN] then q.unblock(row, now, report) end
  elseif row[STATE] == IS_BLOCKED then
    setAside(row, report)
  elseif row[STATE] == IS_HELD then
    row[REASON] = BECAUSE_DEPENDENCY
  end
end

function q.resolveWaiters(row, isWell, now, report)
  q.sync(AFTER)
  local waiters = q.under(AFTER, q.tagOf(row[SEQ]), -1)
  for index, member in ipairs(waiters) do waiters[index] = member:sub(7) end
  q.load(waiters)
  for _, tag in ipairs(waiters) do
    local waiter = q.rows[tag]
    if waiter and waiter[STATE] < IS_SUCCEEDED then resolve(waiter, isWell, now, report) end
  end
end
