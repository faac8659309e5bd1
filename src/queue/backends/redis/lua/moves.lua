-- Moves of requests.

function q.setRank(row, rank, turn)
  q.touch(row)
  row[RANK], row[TURN] = rank, turn
  if row[STATE] ~= IS_BLOCKED then return end
  q.need('lanes')
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
    q.need('lanes')
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
  local isAwaited, waited = q.has(row, HAS_WAITERS), q.has(row, HAS_PREDECESSORS)
  if not (row[LANE] or isAwaited or waited) then return end
  q.need('lanes')
  if row[LANE] then q.freeLane(row, now, report) end
  if waited then q.untie(row) end
  if isAwaited then q.resolveWaiters(row, state == IS_SUCCEEDED, now, report) end
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
