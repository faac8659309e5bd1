-- Looks requests up. Nothing here writes.

-- {id, …}
q.verbs.get = function(p)
  q.need('records')
  local tags, list, found = q.tagsOf(p), {}, {}
  for index in ipairs(p) do
    local row = q.rowAt(tags[index])
    if row then list[#list + 1] = row end
  end
  local records, at = q.recordsOf(list), 0
  for index in ipairs(p) do
    found[index] = false
    if q.rowAt(tags[index]) then
      at = at + 1
      found[index] = records[at]
    end
  end
  return found
end

-- {key}
q.verbs.byKey = function(p)
  q.need('records')
  local row = q.rowAt(call('HGET', KEYED, p[1]))
  return row and (q.recordsOf({ row })) or {}
end

-- What of a filter a row can tell: {states, reasons, zone, lane, acceptedBefore, acceptedAfter, bundle}; false: any.
local function matches(row, wanted)
  if wanted[1] and bit.band(wanted[1], 2 ^ row[STATE]) == 0 then return false end
  if wanted[2] and not wanted[2][tostring(row[REASON])] then return false end
  if wanted[3] and q.placeAt(row[PLACE])[P_ZONE] ~= wanted[3] then return false end
  if wanted[4] and row[LANE] ~= wanted[4] then return false end
  if wanted[7] and row[BUNDLE] ~= wanted[7] then return false end
  if wanted[5] and row[ACCEPTED_AT] >= wanted[5] then return false end
  return not wanted[6] or row[ACCEPTED_AT] >= wanted[6]
end

-- The tags that come next in the order of acceptance, at most `limit`, and the position reached (false: the end).
local function nextAccepted(after, limit)
  local from, last = after + 1, q.totals[LAST_SEQ]
  if from > last then return {}, false end
  local block = tonumber(call('ZRANGEBYSCORE', BLOCKS, math.floor(from / BLOCK), '+inf', 'LIMIT', '0', 1)[1] or -1)
  if block < 0 then return {}, false end
  from = math.max(from, block * BLOCK)
  local to = math.min(from + limit - 1, block * BLOCK + BLOCK - 1, last)
  local tags = {}
  for seq = from, to do tags[#tags + 1] = q.tagOf(seq) end
  return tags, to
end

-- The same in the order of ending; the position is that of the last one.
local function nextEnded(after, limit)
  local found, tags, last = {}, {}, false
  for _, key in ipairs({ WELL, DEAD }) do
    for _, name in ipairs(call('ZRANGEBYLEX', key, '(' .. q.tagOf(after) .. string.rep('\255', 20), '+', 'LIMIT', '0', limit)) do
      found[#found + 1] = name
    end
  end
  table.sort(found)
  for index = 1, math.min(limit, #found) do
    tags[index] = found[index]:sub(7, 12)
    last = (struct.unpack('>I6', found[index]))
  end
  return tags, #tags == limit and last
end

-- The next of those set aside: the only state with an index of its own in the order of acceptance.
local function nextHeld(after, limit)
  local tags = call('ZRANGEBYLEX', HELD, '(' .. q.tagOf(after), '+', 'LIMIT', '0', limit)
  return tags, #tags == limit and (struct.unpack('>I6', tags[limit]))
end

-- Bytes of content that one answer has, about.
local MOST_BYTES = 4194304

-- {order, after, limit, wanted, scan}: one step of a walk that looks at no more than `scan` requests. Gives the records that
-- may match, and where to go on (false: the end).
q.verbs.find = function(p)
  local isEnded, limit, wanted = p[1] == 'ended', p[3], p[4]
  local step = isEnded and nextEnded or nextAccepted
  if not isEnded and wanted[1] == 2 ^ IS_HELD then step = nextHeld end
  local found, position, looked, bytes = {}, p[2], 0, 0
  while position and looked < p[5] and #found < limit and bytes < MOST_BYTES do
    local tags, reached = step(position, 256)
    q.load(tags)
    looked = looked + 256
    position = reached
    for _, tag in ipairs(tags) do
      local row = q.rows[tag]
      if row and matches(row, wanted) then
        found[#found + 1] = row
        bytes = bytes + row[BYTES]
        if #found == limit or bytes >= MOST_BYTES then
          position = isEnded and row[ENDED_SEQ] or row[SEQ]
          break
        end
      end
    end
  end
  q.need('records')
  return { (q.recordsOf(found)), position }
end

-- Every place with its counters.
q.verbs.count = function()
  local found = {}
  for index, id in ipairs(q.allPlaces()) do found[index] = q.places[id] end
  return found
end

-- {channels: {channel, senders}, after}
q.verbs.nextDueAt = function(p)
  local soonest = false
  for _, id in ipairs(q.placesOf(p[1])) do
    local place = struct.pack('>I4', id)
    local from = p[2] and '(' .. place .. q.ordered(p[2]) .. '\255\255\255\255\255\255\255' or '[' .. place
    local to = '(' .. struct.pack('>I4', id + 1)
    for _, key in ipairs({ DUE, DOUBT, EXPIRY }) do
      local first = call('ZRANGEBYLEX', key, from, to, 'LIMIT', '0', 1)[1]
      local at = first and q.numberAt(first, PLACED_NUMBER)
      if at and (not soonest or at < soonest) then soonest = at end
    end
  end
  return { soonest }
end

-- {localId, …}
q.verbs.bindings = function(p)
  return q.fields(BINDINGS, p)
end
