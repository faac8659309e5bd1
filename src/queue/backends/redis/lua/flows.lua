-- Fair queueing: ranks in turn with other flows. A flow has the rank it was given last in FLOWS, and in TURNS in the order of these within its
-- group; a group has its time, the highest rank leased, and when it was used last, in CLOCKS.

-- What a rank as it comes has: group, flow, share.
local W_GROUP, W_FLOW, W_SHARE = 1, 2, 3

-- By name: time and last use of groups, last ranks of flows; false where there is none.
q.clocks, q.lastRanks = {}, {}

-- In front of the names of its flows: no other group's begins like it.
local function prefixOf(group)
  return #group .. ':' .. group
end

function q.clockOf(group)
  if q.clocks[group] == nil then
    local found = call('HGET', CLOCKS, group)
    q.clocks[group] = found and { struct.unpack('>dd', found) }
  end
  return q.clocks[group]
end

local function setClock(group, time, at)
  q.clocks[group] = { time, at }
  q.write(CLOCKS, group, struct.pack('>dd', time, at))
end

-- Reads the last ranks of the flows of several ranks by one command.
function q.loadFlows(ranks)
  local missing = {}
  for _, rank in ipairs(ranks) do
    local name = prefixOf(rank[W_GROUP]) .. rank[W_FLOW]
    if q.lastRanks[name] == nil then
      q.lastRanks[name] = false
      missing[#missing + 1] = name
    end
  end
  for index, found in ipairs(q.fields(FLOWS, missing)) do
    if found then
      local last = struct.unpack('>d', found)
      q.lastRanks[missing[index]] = { last, stored = last }
    end
  end
end

-- The rank that the flow's next request would get.
function q.comingRank(rank)
  q.loadFlows({ rank })
  local clock, last = q.clockOf(rank[W_GROUP]), q.lastRanks[prefixOf(rank[W_GROUP]) .. rank[W_FLOW]]
  return math.max(clock and clock[1] or 0, last and last[1] or 0) + rank[W_SHARE]
end

function q.chargeFlow(rank, number, now)
  local prefix, clock = prefixOf(rank[W_GROUP]), q.clockOf(rank[W_GROUP])
  local name = prefix .. rank[W_FLOW]
  local last = q.lastRanks[name]
  if last and last[1] ~= last.stored then
    q.sets[TURNS][prefix .. q.ordered(last[1]) .. rank[W_FLOW]] = nil
  elseif last then
    q.put(TURNS, prefix .. q.ordered(last[1]) .. rank[W_FLOW], false)
  end
  q.lastRanks[name] = { number, stored = last and last.stored }
  q.put(TURNS, prefix .. q.ordered(number) .. rank[W_FLOW], true)
  q.write(FLOWS, name, struct.pack('>d', number))
  setClock(rank[W_GROUP], clock and clock[1] or 0, now)
end

-- A request with a flow rank was leased.
function q.advanceClock(row, now)
  local group = row[TURN][W_GROUP]
  local clock = q.clockOf(group)
  setClock(group, math.max(clock and clock[1] or 0, row[RANK]), now)
end

-- Of one that comes back with a turn of before: another one, beside what is new of its flow, if the time has gone past it.
function q.giveTurnAgain(row, now)
  local turn = row[TURN]
  local clock = q.clockOf(turn[W_GROUP])
  if row[RANK] >= (clock and clock[1] or 0) then return end
  local again = { turn[W_GROUP], turn[W_FLOW] .. ' (again)', turn[W_SHARE] }
  row[RANK] = q.comingRank(again)
  q.chargeFlow(again, row[RANK], now)
end

-- Computes the rank of a stored request anew. false: last in, first out.
function q.rerank(row, rank, now)
  if type(rank) ~= 'table' then
    q.setRank(row, rank or -row[SEQ], false)
  elseif row[STATE] < IS_SUCCEEDED then
    local number = q.comingRank(rank)
    q.chargeFlow(rank, number, now)
    q.setRank(row, number, rank)
  end
end

-- Forgets flows that their group's time has reached, up to `most`. Returns how many.
local function forgetReached(group, time, most)
  local prefix = prefixOf(group)
  local found = call('ZRANGEBYLEX', TURNS, '[' .. prefix, '(' .. prefix .. q.ordered(time) .. '\255', 'LIMIT', '0', most)
  for _, member in ipairs(found) do
    q.put(TURNS, member, false)
    q.write(FLOWS, prefix .. member:sub(#prefix + 10), false)
  end
  return #found
end

-- Forgets what says nothing any more. True where there may be more.
function q.forgetFlows(before, limit)
  local names, flows, groups = call('HKEYS', CLOCKS), 0, 0
  table.sort(names)
  for _, group in ipairs(names) do
    local clock, prefix = q.clockOf(group), prefixOf(group)
    flows = flows + forgetReached(group, clock[1], limit - flows)
    if flows < limit then
      q.sync(TURNS)
      local excess = call('ZREVRANGEBYLEX', TURNS, '(' .. prefix .. '\255', '[' .. prefix, 'LIMIT', q.totals[LIVE] + SPARE_FLOWS, 1)[1]
      if excess then
        clock = { q.numberAt(excess, #prefix + 1), clock[2] }
        setClock(group, clock[1], clock[2])
        flows = flows + forgetReached(group, clock[1], limit - flows)
      end
    end
    if clock[2] < before and groups < limit then
      q.sync(TURNS)
      if #q.under(TURNS, prefix, 1) == 0 then
        q.write(CLOCKS, group, false)
        groups = groups + 1
      end
    end
  end
  return math.max(flows, groups) >= limit
end
