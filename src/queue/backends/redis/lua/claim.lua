-- Leases ready requests.

-- Makes due requests ready, longest due first. Returns how many.
local function promote(ids, now, limit)
  local due = q.withSome(ids, IS_SCHEDULED)
  if #due == 0 or limit <= 0 then return 0 end
  local tags = q.best(DUE, due, now, limit)
  q.load(tags)
  for _, tag in ipairs(tags) do
    local row = q.rows[tag]
    q.touch(row)
    row[STATE], row[DUE_AT] = IS_READY, false
    q.takeTurnAgain(row, now)
  end
  return #tags
end

-- Of a channel asked for: its senders, how many requests at most, limits of what is sending, parts and, for a probe, among how many it is
-- to be, whether one that was never sent is wanted, and how many are passed over; each of the last five may be false or not there.
local ASKED_SENDERS, ASKED_MOST, ASKED_WITHIN, ASKED_PARTS, ASKED_AMONG, ASKED_FRESH, ASKED_PAST = 2, 3, 4, 5, 6, 7, 8

-- A part of a channel: what it is stored under, senders, how many of it may be leased yet; how many of those that were read of it are to
-- be looked at yet, and whether there may be more behind them; its places.
local PART_LEFT, PART_UNMET, PART_MORE, PART_PLACES = 3, 4, 5, 6

-- The parts of a channel of which something may be leased; where it has none, it is one itself.
local function openParts(asked)
  local most, parts = asked[ASKED_MOST], {}
  if not asked[ASKED_PARTS] then return { { asked[1], asked[ASKED_SENDERS], most } } end
  for _, part in ipairs(asked[ASKED_PARTS]) do
    local left = math.min(part[2], most)
    if left >= 1 then parts[#parts + 1] = { part[1], asked[ASKED_SENDERS], left } end
  end
  return parts
end

-- Room for one more request of a place. What was leased so far must be committed.
local function hasRoom(asked, row)
  return not asked[ASKED_WITHIN] or q.roomWithin(asked[ASKED_WITHIN], q.placeAt(row[PLACE])) >= 1
end

-- How many requests of some parts together there is room for.
local function roomFor(asked, parts)
  local limits, zones, most = asked[ASKED_WITHIN], {}, 0
  if not limits then return math.huge end
  for _, part in ipairs(parts) do
    for _, id in ipairs(part[PART_PLACES]) do
      local place = q.places[id]
      local rooms = zones[place[P_ZONE]] or {}
      zones[place[P_ZONE]] = rooms
      rooms[place[P_CHANNEL]] = math.max(0, math.floor(q.roomWithin(limits, place)))
    end
  end
  for zone, rooms in pairs(zones) do
    local together = 0
    for _, room in pairs(rooms) do together = together + room end
    most = most + math.min(together, math.max(0, math.floor(q.roomWithin(limits, { zone }))))
  end
  return most
end

-- Tags of the best ready requests of some places. What the verb did so far must be in the index.
local function bestReady(ids, most)
  local some = q.withSome(ids, IS_READY)
  if #some == 0 or most < 1 then return {} end
  return q.best(READY, some, false, most)
end

local function rowsOf(tags)
  local rows = {}
  q.load(tags)
  for index, tag in ipairs(tags) do rows[index] = q.rows[tag] end
  return rows
end

-- The best of several parts together, of each no more than may be leased of it; and the part of each.
local function bestOfParts(parts, limit)
  local tags, from, partOf = {}, {}, {}
  for _, part in ipairs(parts) do
    local most = math.min(limit, part[PART_LEFT])
    local ofPart = bestReady(part[PART_PLACES], most)
    part[PART_UNMET], part[PART_MORE] = #ofPart, #ofPart == most
    for _, tag in ipairs(ofPart) do
      tags[#tags + 1], from[#from + 1] = tag, part
    end
  end
  local found = rowsOf(tags)
  for index, row in ipairs(found) do partOf[row] = from[index] end
  if #parts > 1 then
    table.sort(found, function(a, b)
      if a[RANK] ~= b[RANK] then return a[RANK] < b[RANK] end
      return a[SEQ] < b[SEQ]
    end)
  end
  return found, partOf
end

local function isOver(row, now)
  return row[EXPIRES] and row[EXPIRES] <= now and not q.has(row, UNRESOLVED)
end

-- Ends a request past its deadline. True where others came forward: they may go before those that were looked up.
local function expire(row, now, report)
  local moved = #report.moved
  q.finishAndNote(row, IS_DEAD, BECAUSE_EXPIRED, now, report)
  return #report.moved > moved
end

local function take(asked, parts, now, lease, report)
  local wanted, isDone = asked[ASKED_MOST], false
  while not isDone do
    q.sync(READY)
    local most = math.min(wanted, roomFor(asked, parts))
    if most < 1 then return end
    isDone = true
    local rows, partOf = bestOfParts(parts, most)
    for _, row in ipairs(rows) do
      local part = partOf[row]
      if not hasRoom(asked, row) then return end
      if isOver(row, now) then
        isDone = not expire(row, now, report)
      else
        lease(row)
        if asked[ASKED_WITHIN] then q.commit(row) end
        part[PART_LEFT] = part[PART_LEFT] - 1
        wanted = wanted - 1
        if wanted < 1 then return end
      end
      part[PART_UNMET] = part[PART_UNMET] - 1
      -- What was not read of this part may go before what was read of others.
      if part[PART_UNMET] == 0 and part[PART_MORE] and part[PART_LEFT] > 0 then isDone = false end
      if not isDone then break end
    end
  end
end

-- Of the first in order: those that a probe looks among, behind so many that are passed over and round.
local function candidatesOf(first, past, among)
  local found = {}
  for n = 0, math.min(among, #first) - 1 do
    found[#found + 1] = first[(past + n) % #first + 1]
  end
  return found
end

-- The request to try a channel with, if there is one; and whether some were ended, so that there is more to look at.
local function choose(asked, parts, now, report)
  q.sync(READY)
  local harmless, best, hasEnded = nil, nil, false
  if roomFor(asked, parts) < 1 then return nil, false end
  local past, among = asked[ASKED_PAST] or 0, asked[ASKED_AMONG]
  local rows = rowsOf(candidatesOf(bestReady(q.placesOf(parts), past + among), past, among))
  q.need('records')
  q.loadRecords(rows)
  for _, row in ipairs(rows) do
    if not hasRoom(asked, row) then break end
    if isOver(row, now) then
      hasEnded = true
      if expire(row, now, report) or past > 0 then break end
    else
      local isHarmless = bit.band(HARMLESS_EFFECTS, 2 ^ q.fixedOf(row)[F_EFFECT]) ~= 0
      local isWanted = isHarmless
      if asked[ASKED_FRESH] then isWanted = not row[FIRST_SENT] end
      if isWanted then return row, false end
      if isHarmless then harmless = harmless or row end
      best = best or row
    end
  end
  return harmless or best, hasEnded
end

local function probe(asked, parts, now, lease, report)
  if asked[ASKED_MOST] < 1 then return end
  local row, hasEnded
  repeat row, hasEnded = choose(asked, parts, now, report) until not hasEnded
  if row then lease(row) end
end

-- {worker, leaseUntil, now, channels: {channel, senders, …}, promotions}
q.verbs.claim = function(p)
  local worker, now = p[1], p[3]
  local untilWhen = q.leaseEnd(p[2])
  local claimed, report = {}, q.newReport()
  local left = p[5]
  local partsOf, all = {}, {}
  for index, asked in ipairs(p[4]) do
    partsOf[index] = openParts(asked)
    for _, part in ipairs(partsOf[index]) do all[#all + 1] = part end
    if asked[ASKED_WITHIN] then q.needTraffic() end
  end
  if #all > 1 then q.placesOf(all) end -- reads them all at once
  for _, part in ipairs(all) do
    part[PART_PLACES] = q.placesOf({ part })
    left = left - promote(part[PART_PLACES], now, math.max(left, part[PART_LEFT]))
  end
  local function lease(row)
    q.lease(row, worker, untilWhen, now)
    claimed[#claimed + 1] = row
  end
  for index, asked in ipairs(p[4]) do
    local from = asked[ASKED_AMONG] and probe or take
    from(asked, partsOf[index], now, lease, report)
  end
  q.isWorthTelling = #report.ended > 0
  q.flush()
  if #claimed == 0 then return { {}, report.ended, report.moved } end
  q.need('records')
  local records, tags = q.recordsOf(claimed)
  q.leasedTags = tags
  return { records, report.ended, report.moved }
end
