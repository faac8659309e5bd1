-- Accepts requests: {requests, atomic, now, maxSize, maxBytes, places, claim or false}.

-- Fields of a request as it comes: id, number of its place in `places`, flags, rank (false: last in, first out; of a flow: {group, flow, share}), …
local R_ID, R_PLACE, R_FLAGS, R_RANK, R_NOT_BEFORE, R_EXPIRES, R_PRIORITY, R_ACCEPTED, R_BYTES, R_LANE, R_RULE, R_SINCE, R_KEY, R_FINGERPRINT, R_AFTER, R_BASE, R_RECORD, R_CARRIED, R_REPLACES, R_FIRES = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20
-- What a request brings along from the store it was accepted in before.
local C_IS_HELD, C_REASON, C_DUE_AT, C_TOKEN, C_FIRST_SENT, C_PROGRESS, C_UNRESOLVED, C_CALLERS, C_RESULT, C_TOLD = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
-- Whose place it takes: id, the newcomer's own id as text, its result or false.
local E_ID, E_NEWCOMER, E_RESULT = 1, 2, 3
local JOINS_TAIL, JOINS_WINDOW = 1, 2
local ACCEPTED, JOINED, REFUSED = 0, 1, 2
-- Requests of one fingerprint that can be joined: the last so many.
local MOST_ALIKE = 100

-- Tags of the requests of a fingerprint, one behind the other.
q.alike = {}

function q.loadAlike(names)
  local missing = {}
  for _, name in ipairs(names) do
    if q.alike[name] == nil then
      q.alike[name] = ''
      missing[#missing + 1] = name
    end
  end
  for index, found in ipairs(q.fields(ALIKE, missing)) do
    if found then q.alike[missing[index]] = found end
  end
end

function q.writeAlike(name, tags)
  q.alike[name] = tags
  q.write(ALIKE, name, tags ~= '' and tags)
end

local function accepted(row, token)
  return { ACCEPTED, row[SEQ], row[STATE], token, row[DUE_AT] }
end

-- The fields of a newcomer that never change, which stand first in what is to be its record.
local function fixedOfNew(request)
  if not request.fixed then
    local _, fixed = cmsgpack.unpack_one(request[R_RECORD])
    request.fixed = fixed
  end
  return request.fixed
end

-- Puts a newcomer into the lane that its own is only another name of, as its record is to say.
local function enterLane(request)
  local lane = request[R_LANE] and q.laneOf(request[R_LANE])
  if not lane or not lane.meant then return end
  local behindFixed, fixed = cmsgpack.unpack_one(request[R_RECORD])
  fixed[F_LANE] = lane.text
  request.fixed, request[R_LANE] = fixed, lane.meant
  request[R_RECORD] = cmsgpack.pack(fixed) .. request[R_RECORD]:sub(behindFixed + 1)
end

local function isAlike(row, request)
  local digest = fixedOfNew(request)[F_DIGEST]
  return digest and q.fixedOf(row)[F_DIGEST] == digest
end

local function isOfSameLane(row, request)
  local fixed, own = q.fixedOf(row), fixedOfNew(request)
  return fixed[F_PRINCIPAL] == own[F_PRINCIPAL] and fixed[F_LANE] == own[F_LANE]
end

-- The request that a newcomer joins by its join rule, or false.
local function joinable(request)
  if request[R_RULE] == JOINS_TAIL and request[R_LANE] then
    local lane = q.laneOf(request[R_LANE])
    local row = lane and q.rowAt(q.tailOf(request[R_LANE], lane))
    return row and not row[FIRST_SENT] and isAlike(row, request) and isOfSameLane(row, request) and row
  end
  if request[R_RULE] == JOINS_WINDOW and request[R_FINGERPRINT] then
    local tags = q.alike[request[R_FINGERPRINT]]
    for from = #tags - 5, 1, -6 do
      local row = q.rowAt(tags:sub(from, from + 5))
      if row and row[ACCEPTED_AT] >= request[R_SINCE] and isAlike(row, request) then return row end
    end
  end
  return false
end

local function join(row, request)
  q.touch(row)
  row[CALLERS] = row[CALLERS] + 1
  if row[STATE] < IS_SUCCEEDED then
    if request[R_RANK] then q.raise(row, request[R_RANK]) end
    row[PRIORITY] = math.max(row[PRIORITY], request[R_PRIORITY])
    if row[EXPIRES] and (not request[R_EXPIRES] or request[R_EXPIRES] > row[EXPIRES]) then row[EXPIRES] = request[R_EXPIRES] end
  end
  q.isWorthTelling = true
  return { JOINED, row[ID], row[SEQ], row[STATE] }
end

-- What a whole batch asks for, by a few commands.
local function prepare(p)
  local ids, keys, names, lanes, predecessors, rooms, turns = {}, {}, {}, {}, {}, {}, {}
  for index, request in ipairs(p[1]) do
    ids[index] = request[R_ID]
    if request[R_KEY] then keys[#keys + 1] = request[R_KEY] end
    if request[R_FINGERPRINT] then names[#names + 1] = request[R_FINGERPRINT] end
    if request[R_LANE] then lanes[#lanes + 1] = request[R_LANE] end
    for _, id in ipairs(request[R_AFTER] or {}) do predecessors[#predecessors + 1] = id end
    if type(request[R_RANK]) == 'table' then turns[#turns + 1] = request[R_RANK] end
    if request[R_REPLACES] then
      q.need('replace')
      predecessors[#predecessors + 1] = request[R_REPLACES][E_ID]
    end
    if request[R_FIRES] then q.need('schedules') end
  end
  local byId, byKey = {}, {}
  local function find(hash, wanted, into)
    local tags = {}
    for index, tag in ipairs(q.fields(hash, wanted)) do
      if tag then
        into[wanted[index]] = tag
        tags[#tags + 1] = tag
      end
    end
    q.load(tags)
  end
  find(IDS, ids, byId)
  find(IDS, predecessors, byId)
  find(KEYED, keys, byKey)
  if #turns > 0 then
    q.need('flows')
    q.loadFlows(turns)
  end
  q.loadAlike(names)
  if #lanes > 0 then
    q.need('lanes')
    q.loadLanes(lanes)
    local meant = {}
    for _, name in ipairs(lanes) do
      if q.lanes[name] and q.lanes[name].meant then meant[#meant + 1] = q.lanes[name].meant end
    end
    q.loadLanes(meant)
  end
  for index, place in ipairs(p[6]) do rooms[index] = q.roomName(place[2], place[3]) end
  q.loadRooms(rooms)
  return byId, byKey
end

q.verbs.enqueue = function(p)
  local requests, isAtomic, now, maxSize, maxBytes, claim = p[1], p[2], p[3], p[4], p[5], p[7]
  local allowance, within, placeIds, totals = {}, {}, {}, q.totals
  if claim then
    -- {channel, calls, limits of what is sending or nothing}
    for _, one in ipairs(claim[3]) do
      allowance[one[1]], within[one[1]] = one[2], one[3]
      if one[3] then q.needTraffic() end
    end
  end
  local byId, byKey = prepare(p)

  local function overLimit(request)
    if totals[LIVE] >= maxSize then return { REFUSED, 'full', totals[LIVE] .. ' requests of at most ' .. maxSize } end
    if totals[LIVE_BYTES] + request[R_BYTES] > maxBytes then
      return { REFUSED, 'full', totals[LIVE_BYTES] .. ' + ' .. request[R_BYTES] .. ' bytes of at most ' .. maxBytes }
    end
    return nil
  end

  local function refusal(request)
    local replaces = request[R_REPLACES]
    local full = not replaces and overLimit(request)
    if full then return full end
    local objection = replaces and q.objectionTo(q.rowAt(byId[replaces[E_ID]]), request, fixedOfNew(request))
    if objection then return { REFUSED, 'replaced', replaces[E_ID], objection } end
    for _, id in ipairs(request[R_AFTER] or {}) do
      local row = q.rowAt(byId[id])
      if not row then return { REFUSED, 'dependency', id, false } end
      if row[STATE] > IS_SUCCEEDED then return { REFUSED, 'dependency', id, row[STATE] } end
    end
    return nil
  end

  -- Nothing may overtake: it is leased only where a claim would have found nothing else of its channel and sender.
  local function mayClaim(row)
    local place = q.placeAt(row[PLACE])
    if (allowance[place[P_CHANNEL]] or 0) <= 0 then return false end
    if row[EXPIRES] and row[EXPIRES] <= now then return false end
    local limits = within[place[P_CHANNEL]]
    if limits and q.roomWithin(limits, place) < 1 then return false end
    for _, id in ipairs(q.rooms[q.roomName(place[P_CHANNEL], place[P_SENDER])]) do
      local other = q.placeAt(id)
      if other[COUNT + IS_READY] ~= 0 then return false end
      if other[COUNT + IS_SCHEDULED] ~= 0 and #q.ofPlace(DUE, id, now, 1) > 0 then return false end
    end
    return true
  end

  local function tie(row, tag, ids)
    local seen = {}
    for _, id in ipairs(ids) do
      local predecessor = q.rowAt(byId[id])
      if not seen[id] then
        seen[id] = true
        q.touch(predecessor)
        q.mark(predecessor, HAS_WAITERS, true)
        q.mark(row, HAS_PREDECESSORS, true)
        if predecessor[STATE] < IS_SUCCEEDED then row[OPEN] = (row[OPEN] or 0) + 1 end
        q.put(AFTER, byId[id] .. tag, true)
        q.put(BEFORE, tag .. byId[id], true)
      end
    end
  end

  local function bring(row, carried)
    row[TOKEN], row[FIRST_SENT], row[CALLERS] = carried[C_TOKEN], carried[C_FIRST_SENT], carried[C_CALLERS]
    row[PROGRESS] = carried[C_PROGRESS]
    q.mark(row, UNRESOLVED, carried[C_UNRESOLVED])
    q.mark(row, TOLD, carried[C_TOLD])
    if carried[C_RESULT] then q.memo[row][M_TAIL], row[RESULT_BYTES] = carried[C_RESULT][1], carried[C_RESULT][2] end
    if carried[C_IS_HELD] then
      row[STATE], row[REASON] = IS_HELD, carried[C_REASON]
    else
      q.settleIn(row, now, carried[C_REASON], carried[C_DUE_AT])
    end
  end

  local function getInLine(row, tag)
    local name = row[LANE]
    local lane = q.laneOf(name)
    if not lane then
      q.writeLane(name, { head = tag, isLonger = false, names = '', tail = tag })
      return
    end
    q.mark(row, BEHIND, true)
    lane.tail = tag
    if lane.isLonger then return end
    lane.isLonger = true
    q.writeLane(name, lane)
  end

  -- The end of a newcomer that has nothing left to do.
  local function endAtOnce(row, result)
    q.memo[row][M_TAIL], row[RESULT_BYTES] = result[1], result[2]
    q.close(row, IS_SUCCEEDED, BECAUSE_NOOP, now)
  end

  -- Ends what a newcomer replaces and gives it its place, with the better priority of the two and the callers of both.
  local function takeOver(row, tag, replaces)
    local old = q.rowAt(byId[replaces[E_ID]])
    local name, wasBehind = row[LANE], q.has(old, BEHIND)
    q.giveWay(old, replaces[E_NEWCOMER], now)
    row[PRIORITY] = math.max(row[PRIORITY], old[PRIORITY])
    row[CALLERS] = row[CALLERS] + old[CALLERS]
    if replaces[E_RESULT] then
      q.leaveEmpty(name, wasBehind)
      return
    end
    local lane = q.laneOf(name)
    q.mark(row, BEHIND, wasBehind)
    lane.tail = tag
    if wasBehind then return end
    lane.head = tag
    q.writeLane(name, lane)
  end

  -- The rank of a newcomer, or that of the one whose place it takes if that is as good; and whose turn it is. What ends at once is charged nothing.
  local function rankOf(request, seq)
    local given, replaces = request[R_RANK], request[R_REPLACES]
    local isFlow, old = type(given) == 'table', replaces and q.rowAt(byId[replaces[E_ID]])
    local rank = isFlow and q.comingRank(given) or not isFlow and (given or -seq)
    if old and old[RANK] <= rank then return old[RANK], old[TURN] end
    if isFlow and not (replaces and replaces[E_RESULT]) then q.chargeFlow(given, rank, now) end
    return rank, isFlow and given
  end

  local function store(request)
    local seq = totals[LAST_SEQ] + 1
    local tag = q.tagOf(seq)
    totals[LAST_SEQ] = seq
    local number = request[R_PLACE]
    if not placeIds[number] then
      local place = p[6][number]
      placeIds[number] = q.placeOf(place[1], place[2], place[3])
    end
    local rank, turn = rankOf(request, seq)
    local row = {
      seq, request[R_ID], placeIds[number], IS_READY, BECAUSE_ACCEPTED, request[R_FLAGS], rank, 1,
      request[R_PRIORITY], request[R_ACCEPTED], request[R_BYTES], 0, request[R_FINGERPRINT], request[R_LANE], request[R_EXPIRES],
      request[R_NOT_BEFORE], false, false, false, false, false, false, false, false, false, request[R_BASE], false, false, turn,
    }
    q.begin(row, tag, request[R_RECORD])
    q.countInBlock(seq, 1)
    byId[request[R_ID]] = tag
    q.write(IDS, request[R_ID], tag)
    if request[R_KEY] then
      byKey[request[R_KEY]] = tag
      q.write(KEYED, request[R_KEY], tag)
    end
    local name = request[R_FINGERPRINT]
    if name then q.writeAlike(name, (q.alike[name] .. tag):sub(-6 * MOST_ALIKE)) end
    local replaces = request[R_REPLACES]
    local result = replaces and replaces[E_RESULT]
    if request[R_AFTER] and not result then tie(row, tag, request[R_AFTER]) end
    if replaces then
      takeOver(row, tag, replaces)
    elseif row[LANE] then
      getInLine(row, tag)
    end
    if result then
      endAtOnce(row, result)
    elseif request[R_CARRIED] then
      bring(row, request[R_CARRIED])
    else
      q.settleIn(row, now, BECAUSE_ACCEPTED, false)
    end
    local token = false
    if claim and row[STATE] == IS_READY and mayClaim(row) then
      local channel = q.placeAt(row[PLACE])[P_CHANNEL]
      allowance[channel] = allowance[channel] - 1
      q.lease(row, claim[1], q.leaseEnd(claim[2]), now)
      token = row[TOKEN]
    else
      q.isWorthTelling = true
    end
    q.commit(row)
    return accepted(row, token)
  end

  local function admit(request)
    enterLane(request)
    local isNew = not request[R_CARRIED]
    local keyed = request[R_KEY] and q.rowAt(byKey[request[R_KEY]])
    if keyed then
      if isNew and q.fixedOf(keyed)[F_DIGEST] == fixedOfNew(request)[F_DIGEST] then return join(keyed, request) end
      return { REFUSED, 'keyConflict', keyed[ID] }
    end
    local row = isNew and request[R_RULE] ~= 0 and joinable(request)
    if row then return join(row, request) end
    return refusal(request) or store(request)
  end

  local function accept(request)
    local same, fires = q.rowAt(byId[request[R_ID]]), request[R_FIRES]
    if same then return accepted(same, false) end
    if not fires then return admit(request) end
    local found = q.objectionToFiring(fires)
    if found then return { REFUSED, 'fired', fires[W_NAME], found } end
    local result = admit(request)
    if result[1] ~= REFUSED then q.fire(fires) end
    return result
  end

  local results = {}
  for index, request in ipairs(requests) do
    local result = accept(request)
    results[index] = result
    if isAtomic and result[1] == REFUSED then
      q.forgetAll()
      for other = 1, #requests do results[other] = { REFUSED, 'neighbour', result[2] } end
      results[index] = result
      return results
    end
  end
  return results
end
