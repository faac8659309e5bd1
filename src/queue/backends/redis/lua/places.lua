-- Counters: of the whole store, and of each place, which is a zone, a channel and a sender.

-- The whole store. BOUND_IDS: how many local ids are bound, absent until one is: where none is, nobody looks for old ones. TRAFFIC: the
-- revision for which it holds, and how many requests are being sent by zone and by channel of a zone; absent until a claim asks.
local LAST_SEQ, LIVE, LIVE_BYTES, LAST_ENDED, ENDED, ENDED_BYTES, STEPPED_BACK, LAST_ENDED_AT, LAST_PLACE, REVISION, SHARED_VERSION, HISTORY_SEQ, BOUND_IDS, TRAFFIC = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14

-- A place: zone, channel, sender, the number of requests in each state (from COUNT on), bytes of those that live (from SIZE on),
-- and how many of them a deadline can end.
local P_ZONE, P_CHANNEL, P_SENDER, COUNT, SIZE, EXPIRING = 1, 2, 3, 4, 14, 20

-- Seqs that share a count of records: what lies between blocks need not be looked at.
local BLOCK = 1024

local function readTotals()
  local found = call('GET', TOTALS)
  if not found then return { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } end
  local totals = cmsgpack.unpack(found)
  -- Whoever changed the store and knows nothing of it left it behind.
  if totals[TRAFFIC] and totals[TRAFFIC][1] ~= totals[REVISION] then totals[TRAFFIC] = false end
  return totals
end

q.totals = readTotals()

q.places, q.changedPlaces, q.newPlaces = {}, {}, {}

function q.loadPlaces(ids)
  local places, missing = q.places, {}
  for _, id in ipairs(ids) do
    if places[id] == nil then
      places[id] = false
      missing[#missing + 1] = id
    end
  end
  for index, found in ipairs(q.fields(PLACES, missing)) do
    if found then places[missing[index]] = cmsgpack.unpack(found) end
  end
end

function q.placeAt(id)
  local place = q.places[id]
  if place then return place end
  q.loadPlaces({ id })
  return q.places[id]
end

function q.allPlaces()
  local ids = {}
  local found = call('HGETALL', PLACES)
  for index = 1, #found, 2 do
    local id = tonumber(found[index])
    if q.places[id] == nil then q.places[id] = cmsgpack.unpack(found[index + 1]) end
    ids[#ids + 1] = id
  end
  return ids
end

-- A room is a channel and a sender: the places in it differ by their zone.
function q.roomName(channel, sender)
  local names = q.roomNames[channel]
  if not names then
    names = {}
    q.roomNames[channel] = names
  end
  if not names[sender] then names[sender] = #channel .. ':' .. channel .. sender end
  return names[sender]
end

-- By channel and sender: a number takes long to become text.
q.roomNames = {}

-- Lists of the places of a room; and as they are stored.
q.rooms, q.listed = {}, {}

function q.loadRooms(names)
  local missing, ids = {}, {}
  for _, name in ipairs(names) do
    if not q.rooms[name] then
      q.rooms[name], q.listed[name] = {}, ''
      missing[#missing + 1] = name
    end
  end
  for index, found in ipairs(q.fields(ROOMS, missing)) do
    if found then
      local list = cmsgpack.unpack(found)
      q.rooms[missing[index]] = list
      q.listed[missing[index]] = table.concat(list, ',')
      for _, id in ipairs(list) do ids[#ids + 1] = id end
    end
  end
  q.loadPlaces(ids)
end

function q.placeOf(zone, channel, sender)
  local name = q.roomName(channel, sender)
  q.loadRooms({ name })
  for _, id in ipairs(q.rooms[name]) do
    if q.places[id][P_ZONE] == zone then return id end
  end
  local id = q.totals[LAST_PLACE] + 1
  q.totals[LAST_PLACE] = id
  q.places[id] = { zone, channel, sender, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
  q.newPlaces[id] = true
  table.insert(q.rooms[name], id)
  return id
end

-- The places of channels and senders, each once: {channel, {sender, …}}, ….
function q.placesOf(asked)
  local names = {}
  for _, one in ipairs(asked) do
    for _, sender in ipairs(one[2]) do names[#names + 1] = q.roomName(one[1], sender) end
  end
  q.loadRooms(names)
  local found, seen = {}, {}
  for _, name in ipairs(names) do
    for _, id in ipairs(q.rooms[name]) do
      if not seen[id] then
        seen[id] = true
        found[#found + 1] = id
      end
    end
  end
  return found
end

function q.withSome(ids, state)
  local some = {}
  for _, id in ipairs(ids) do
    if q.placeAt(id)[COUNT + state] > 0 then some[#some + 1] = id end
  end
  return some
end

-- Names that begin with a digit are those of channels.
local function zoneName(zone)
  return '@' .. zone
end

local function add(sums, name, by)
  local sum = (sums[name] or 0) + by
  sums[name] = sum ~= 0 and sum or nil
end

local function countTraffic(sums, place, by)
  add(sums, zoneName(place[P_ZONE]), by)
  add(sums, q.roomName(place[P_ZONE], place[P_CHANNEL]), by)
end

-- Counts what is being sent, from the counters of all places: once, as they keep it true from then on. To be called before anything
-- is changed.
function q.needTraffic()
  local totals, sums = q.totals, {}
  if totals[TRAFFIC] then return end
  for _, id in ipairs(q.allPlaces()) do
    local place = q.places[id]
    if place[COUNT + IS_SENDING] > 0 then countTraffic(sums, place, place[COUNT + IS_SENDING]) end
  end
  totals[BOUND_IDS] = totals[BOUND_IDS] or 0
  totals[TRAFFIC] = { totals[REVISION], sums }
end

local function isOf(limit, channel)
  if not limit[2] or limit[2] == channel then return true end
  for _, other in ipairs(limit[4]) do
    if other == channel then return true end
  end
  return false
end

-- How many more requests of a place may be sent at once, by limits: {zone, channel (false: all of them), sending, channels that count
-- with it}, ….
function q.roomWithin(limits, place)
  local room, sums = math.huge, q.totals[TRAFFIC][2]
  for _, limit in ipairs(limits) do
    local zone, channel = limit[1], limit[2]
    if zone == place[P_ZONE] and isOf(limit, place[P_CHANNEL]) then
      local sending = sums[channel and q.roomName(zone, channel) or zoneName(zone)] or 0
      for _, other in ipairs(limit[4]) do sending = sending + (sums[q.roomName(zone, other)] or 0) end
      room = math.min(room, limit[3] - sending)
    end
  end
  return room
end

function q.tally(id, state, bytes, by)
  local place, totals = q.placeAt(id), q.totals
  q.changedPlaces[id] = true
  if state == IS_SENDING and totals[TRAFFIC] then countTraffic(totals[TRAFFIC][2], place, by) end
  place[COUNT + state] = place[COUNT + state] + by
  if state < IS_SUCCEEDED then
    place[SIZE + state] = place[SIZE + state] + by * bytes
    totals[LIVE] = totals[LIVE] + by
    totals[LIVE_BYTES] = totals[LIVE_BYTES] + by * bytes
  else
    totals[ENDED] = totals[ENDED] + by
    totals[ENDED_BYTES] = totals[ENDED_BYTES] + by * bytes
  end
end

function q.countExpiring(id, by)
  local place = q.placeAt(id)
  place[EXPIRING] = place[EXPIRING] + by
  q.changedPlaces[id] = true
end

local function isEmpty(place)
  for state = 0, 9 do
    if place[COUNT + state] ~= 0 then return false end
  end
  return true
end

-- Writes the places that changed: one in which nothing is left is forgotten, a new one gets into the list of its room.
function q.writePlaces()
  local names, seen = {}, {}
  for id in pairs(q.changedPlaces) do
    local place = q.places[id]
    local isOver = isEmpty(place)
    q.write(PLACES, id, not isOver and cmsgpack.pack(place))
    if isOver or q.newPlaces[id] then
      local name = q.roomName(place[P_CHANNEL], place[P_SENDER])
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  if #names > 0 then q.loadRooms(names) end
  for _, name in ipairs(names) do
    local left = {}
    for _, id in ipairs(q.rooms[name]) do
      if q.places[id] and not isEmpty(q.places[id]) then left[#left + 1] = id end
    end
    local listed = table.concat(left, ',')
    if listed ~= q.listed[name] then q.write(ROOMS, name, #left > 0 and cmsgpack.pack(left)) end
    q.rooms[name], q.listed[name] = left, listed
  end
  q.changedPlaces, q.newPlaces = {}, {}
end

q.blocks = {}

function q.countInBlock(seq, by)
  local block = math.floor(seq / BLOCK)
  q.blocks[block] = (q.blocks[block] or 0) + by
end

function q.writeBlocks()
  for block, by in pairs(q.blocks) do
    local count = call('HINCRBY', SIZES, block, by)
    if count <= 0 then
      call('HDEL', SIZES, block)
      call('ZREM', BLOCKS, block)
    elseif count == by then
      call('ZADD', BLOCKS, block, block)
    end
  end
  q.blocks = {}
end
