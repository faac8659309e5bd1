-- What local ids stand for, and lanes that have two names because their entity has.

-- Old bindings that one purge looks at, at most: as many again where none of the first is to be forgotten.
local MOST_LOOKED_AT = 500

-- Whether local ids are bound.
q.isBound = {}

function q.loadBindings(names)
  local missing = {}
  for _, name in ipairs(names) do
    if q.isBound[name] == nil then
      q.isBound[name] = false
      missing[#missing + 1] = name
    end
  end
  for index, found in ipairs(q.fields(BINDINGS, missing)) do
    if found then q.isBound[missing[index]] = true end
  end
end

-- Gives a lane another name, while it has more than the request that does so. One that is in use is nobody else's name.
local function giveName(own, lane, text, other)
  q.need('lanes')
  q.loadLanes({ lane, other })
  local there = q.laneOf(lane)
  if lane == other or q.laneOf(other) or not there or there.meant then return end
  if there.head == q.tagOf(own[SEQ]) then
    if not there.isLonger then return end
    q.sync(WAITING)
    if #q.under(WAITING, lane, 1) == 0 then return end
  end
  there.names = there.names .. other
  q.writeLane(lane, there)
  q.writeLane(other, { meant = lane, text = text })
end

-- Binds local ids: {localId, text, boundAt, id of the request, {lane, its text, other name} or false}, …. One that is bound stays.
function q.bind(own, bindings)
  for _, binding in ipairs(bindings) do
    local localId, request, names = binding[1], binding[4], binding[5]
    if not q.isBound[localId] then
      q.isBound[localId] = true
      q.totals[BOUND_IDS] = (q.totals[BOUND_IDS] or 0) + 1
      q.write(BINDINGS, localId, binding[2])
      q.put(AGES, q.ordered(binding[3]) .. localId .. '\0' .. request .. struct.pack('>I2', #request), true)
      if names then giveName(own, names[1], names[2], names[3]) end
    end
  end
end

-- Forgets those of the named bindings whose request's record is gone; how many.
local function forget(names, limit)
  local ids, gone, forgotten = {}, q.hashes[IDS] or {}, 0
  for index, name in ipairs(names) do
    local length = struct.unpack('>I2', name, #name - 1)
    ids[index] = name:sub(-2 - length, -3)
  end
  for index, tag in ipairs(q.fields(IDS, ids)) do
    local name, id = names[index], ids[index]
    -- What this purge deleted is still there to be read.
    if forgotten < limit and (not tag or gone[id] == false) then
      forgotten = forgotten + 1
      q.write(BINDINGS, name:sub(10, -4 - #id), false)
      q.put(AGES, name, false)
    end
  end
  q.totals[BOUND_IDS] = q.totals[BOUND_IDS] - forgotten
  return forgotten
end

-- Forgets bindings made before a time whose request's record is gone, at most `limit`, the oldest first. Where the first are all kept,
-- others are looked at, each time another part of them. True where there may be more to forget.
function q.forgetBindings(before, now, limit)
  local to = '(' .. q.ordered(before)
  local oldest = call('ZRANGEBYLEX', AGES, '-', to, 'LIMIT', '0', MOST_LOOKED_AT)
  local forgotten = forget(oldest, limit)
  if forgotten > 0 or #oldest < MOST_LOOKED_AT then
    return forgotten >= limit or (forgotten > 0 and #oldest == MOST_LOOKED_AT)
  end
  local parts = math.ceil(call('ZLEXCOUNT', AGES, '-', to) / MOST_LOOKED_AT)
  local from = math.floor(now) % parts * MOST_LOOKED_AT
  return forget(call('ZRANGEBYLEX', AGES, '-', to, 'LIMIT', from, MOST_LOOKED_AT), limit) > 0
end
