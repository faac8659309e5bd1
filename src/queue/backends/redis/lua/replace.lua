-- Lets a newcomer take the place of the last request of its lane. Nothing here makes a sorted set true before it is read, as a batch that
-- is refused after this must have changed nothing.

-- Members of a sorted set of names that begin with `prefix`, with what the verb did to them so far.
local function listed(key, prefix)
  local changes, found, seen = q.sets[key] or {}, {}, {}
  for _, member in ipairs(q.under(key, prefix, -1)) do
    seen[member] = true
    if changes[member] ~= false then found[#found + 1] = member end
  end
  for member, isIn in pairs(changes) do
    if isIn and not seen[member] and member:sub(1, #prefix) == prefix then found[#found + 1] = member end
  end
  return found
end

-- Tag of the last of a lane, with what the verb did to it so far.
local function lastOf(name, lane)
  local changes, last, from = q.sets[WAITING] or {}, nil, 0
  repeat
    last = call('ZREVRANGEBYLEX', WAITING, '(' .. name .. string.rep('\255', 7), '[' .. name, 'LIMIT', from, 1)[1]
    from = from + 1
  until not last or changes[last] ~= false
  local tag, seq = last and last:sub(LANE_TAG) or lane.head, last and struct.unpack('>I6', last, LANE_TAG) or 0
  for member, isIn in pairs(changes) do
    if isIn and member:sub(1, #name) == name and struct.unpack('>I6', member, LANE_TAG) > seq then
      tag, seq = member:sub(LANE_TAG), struct.unpack('>I6', member, LANE_TAG)
    end
  end
  return tag
end

-- Why a newcomer may not take the place of a request (false: there is none), if it may not.
function q.objectionTo(row, request, fixed)
  local name = request[R_LANE]
  local lane = name and q.laneOf(name)
  if not row or not lane or q.tailOf(name, lane) ~= q.tagOf(row[SEQ]) then return 'is not the last of its lane' end
  local stored = q.fixedOf(row)
  if stored[F_LANE] ~= fixed[F_LANE] then return 'is not the last of its lane' end
  if stored[F_PRINCIPAL] ~= fixed[F_PRINCIPAL] then return 'belongs to another principal' end
  if row[STATE] > IS_BLOCKED then return 'does not wait' end
  if row[FIRST_SENT] then return 'was sent' end
  for _, id in ipairs(request[R_AFTER] or {}) do
    if id == row[ID] then return 'is waited for' end
  end
  if q.has(row, HAS_WAITERS) and #listed(AFTER, q.tagOf(row[SEQ])) > 0 then return 'is waited for' end
  return nil
end

-- Ends a request whose place a newcomer takes: nobody waits for it, and its lane does not pass on.
function q.giveWay(row, newcomer, now)
  local own = q.tagOf(row[SEQ])
  q.close(row, IS_SUPERSEDED, BECAUSE_SQUASHED, now)
  row[REPLAYED_AS] = newcomer
  q.mark(row, BEHIND, false)
  if q.has(row, HAS_PREDECESSORS) then
    q.mark(row, HAS_PREDECESSORS, false)
    for _, member in ipairs(listed(BEFORE, own)) do
      q.put(BEFORE, member, false)
      q.put(AFTER, member:sub(7) .. own, false)
    end
  end
  q.commit(row)
end

-- Its place in the lane is left empty: the newcomer has ended as well.
function q.leaveEmpty(name, wasBehind)
  local lane = q.laneOf(name)
  if wasBehind then
    lane.tail = lastOf(name, lane)
  else
    q.closeLane(name)
  end
end
