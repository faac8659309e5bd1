-- Moves of requests and what they bring about: lanes pass to the next, dependants go on or are held.

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
      local last = call('ZREVRANGEBYLEX', WAITING, '(' .. name .. string.rep('\255', 7), '[' .. name, 'LIMIT', 0, 1)[1]
      if last then lane.tail = last:sub(LANE_TAG) end
    end
  end
  return lane.tail
end

-- A blocked request lends its rank to the head of its lane, which keeps it.
function q.lendRank(row)
  local lane = row[STATE] == IS_BLOCKED and row[LANE] and q.laneOf(row[LANE])
  local head = lane and q.rowAt(lane.head)
  if head and head ~= row and row[RANK] < head[RANK] then
    q.touch(head)
    head[RANK], head[TURN] = row[RANK], row[TURN]
  end
end

function q.setRank(row, rank, turn)
  q.touch(row)
  row[RANK], row[TURN] = rank, turn
  q.lendRank(row)
end

-- The rank of one that joins, if it is better: at nobody's cost.
function q.raise(row, rank)
  local number, turn = rank, false
  if type(rank) == 'table' then
    q.need('flows')
    number, turn = q.comingRank(rank), rank
  end
  if number and number < row[RANK] then q.setRank(row, number, turn) end
end

-- What a verb did to requests besides those it names.
function q.newReport()
  return { ended = {}, moved = {} }
end

function q.noteEnd(report, row)
  local place = q.placeAt(row[PLACE])
  table.insert(report.ended, { row[ID], place[P_ZONE], row[STATE], row[REASON], row[ENDED_SEQ] })
end

function q.noteMove(report, row)
  local place = q.placeAt(row[PLACE])
  table.insert(report.moved, { row[ID], place[P_ZONE], place[P_CHANNEL], row[STATE], row[REASON], row[DUE_AT] })
end

-- Where others have gone past its turn meanwhile, what comes back gets another one.
function q.takeTurnAgain(row, now)
  if not row[TURN] then return end
  q.need('flows')
  q.giveTurnAgain(row, now)
end

-- Puts a request where it can get: blocked, scheduled or ready. `floor`: the time a move asked for. `isBack`: it was stored before.
function q.settleIn(row, now, reason, floor, isBack)
  local notBefore = row[NOT_BEFORE]
  if row[OPEN] or q.has(row, BEHIND) then
    row[STATE] = IS_BLOCKED
    row[REASON] = q.has(row, BEHIND) and BECAUSE_LANE or BECAUSE_DEPENDENCY
    row[DUE_AT] = floor
    if isBack then q.takeTurnAgain(row, now) end
    q.lendRank(row)
  elseif (floor and floor > now) or (notBefore and notBefore > now) then
    local isFloor = floor and (not notBefore or floor >= notBefore)
    row[STATE] = IS_SCHEDULED
    row[REASON] = isFloor and reason or BECAUSE_NOT_BEFORE
    row[DUE_AT] = isFloor and floor or notBefore
  else
    row[STATE] = IS_READY
    row[REASON] = reason
    row[DUE_AT] = false
    if isBack then q.takeTurnAgain(row, now) end
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
local function untie(row)
  if not q.has(row, HAS_PREDECESSORS) then return end
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

local function resolveWaiters(row, isWell, now, report)
  if not q.has(row, HAS_WAITERS) then return end
  q.sync(AFTER)
  local waiters = q.under(AFTER, q.tagOf(row[SEQ]), -1)
  for index, member in ipairs(waiters) do waiters[index] = member:sub(7) end
  q.load(waiters)
  for _, tag in ipairs(waiters) do
    local waiter = q.rows[tag]
    if waiter and waiter[STATE] < IS_SUCCEEDED then resolve(waiter, isWell, now, report) end
  end
end

-- Marks a live request as ended, at the end of the order of ending.
function q.close(row, state, reason, now)
  local totals = q.totals
  q.touch(row)
  row[STATE], row[REASON], row[DUE_AT], row[WORKER] = state, reason, false, false
  row[ENDED_AT] = now
  if now < totals[LAST_ENDED_AT] then totals[STEPPED_BACK] = 1 end
  totals[LAST_ENDED_AT] = now
  totals[LAST_ENDED] = totals[LAST_ENDED] + 1
  row[ENDED_SEQ] = totals[LAST_ENDED]
end

-- Ends a live request; with it frees its lane and unblocks or holds its dependants.
function q.finishAlone(row, state, reason, now, report)
  q.close(row, state, reason, now)
  if row[LANE] then q.freeLane(row, now, report) end
  untie(row)
  resolveWaiters(row, state == IS_SUCCEEDED, now, report)
end

-- The same, after all that goes with it. Does not note the request itself.
function q.finish(row, state, reason, now, report)
  local isDead = state == IS_DEAD
  -- What was moved or spilled lives on elsewhere, and what waits for it with it.
  local isOver = isDead or (state ~= IS_SUCCEEDED and reason ~= BECAUSE_MOVED and reason ~= BECAUSE_SPILLED)
  if isOver and q.isOnFailure(row, CASCADES) then
    q.need('cascade')
    q.abandon(row, isDead, now, report)
  end
  q.finishAlone(row, state, reason, now, report)
end

function q.finishAndNote(row, state, reason, now, report)
  q.finish(row, state, reason, now, report)
  q.noteEnd(report, row)
end

-- Any legal move of a live request.
function q.move(row, state, reason, dueAt, now, report)
  q.touch(row)
  row[WORKER] = false
  if state == IS_READY or state == IS_BLOCKED then
    q.settleIn(row, now, reason, false, true)
  elseif state == IS_SCHEDULED then
    q.settleIn(row, now, reason, dueAt, true)
  elseif state == IS_HELD then
    row[STATE], row[REASON], row[DUE_AT] = state, reason, false
  elseif state == IS_UNKNOWN then
    row[STATE], row[REASON], row[DUE_AT] = state, reason, dueAt or now
  else
    q.finish(row, state, reason, now, report)
  end
end

-- Gives up the lease of a request that nobody tried: it keeps its turn.
function q.putBack(row, now)
  row[WORKER] = false
  q.settleIn(row, now, BECAUSE_ACCEPTED, false, false)
end

-- Gives a request a new token and a holder.
function q.grant(row, worker, untilWhen)
  row[TOKEN] = row[TOKEN] + 1
  row[WORKER] = worker
  row[UNTIL] = untilWhen
end

-- Leases a request: from now on it counts as sent.
function q.lease(row, worker, untilWhen, now)
  q.touch(row)
  q.grant(row, worker, untilWhen)
  row[STATE], row[DUE_AT] = IS_SENDING, false
  q.mark(row, FIRST_LEASE, not row[FIRST_SENT])
  if not row[FIRST_SENT] then row[FIRST_SENT] = now end
  if row[TURN] then
    q.need('flows')
    q.advanceClock(row, now)
  end
end

function q.setSender(row, sender)
  local place = q.placeAt(row[PLACE])
  if place[P_SENDER] == sender then return end
  q.touch(row)
  row[PLACE] = q.placeOf(place[P_ZONE], place[P_CHANNEL], sender)
  q.mark(row, FROM_PROCESS, sender:sub(1, 8) == 'process:')
end
