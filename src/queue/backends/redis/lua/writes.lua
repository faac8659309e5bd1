-- Writes wait until the verb is done: a verb that fails before has changed nothing.

-- Of sorted sets (true to add, false to remove) and of hashes (value, or false to remove). The last one counts.
q.sets, q.hashes = {}, {}

-- Whether the verb wrote anything, whether others may care, and the tags of what a claim leased.
q.isChanged, q.isWorthTelling, q.leasedTags = false, false, false

function q.put(key, member, isIn)
  local changes = q.sets[key]
  if not changes then
    changes = {}
    q.sets[key] = changes
  end
  changes[member] = isIn
end

function q.write(key, field, value)
  local changes = q.hashes[key]
  if not changes then
    changes = {}
    q.hashes[key] = changes
  end
  changes[field] = value
end

-- Removes from a sorted set what is to go and gives what is to be added, as arguments of ZADD.
local function prune(key, changes)
  local gone, added = {}, {}
  for member, isIn in pairs(changes) do
    if isIn then
      added[#added + 1] = '0'
      added[#added + 1] = member
    else
      gone[#gone + 1] = member
    end
  end
  if #gone > 0 then q.many('ZREM', key, gone) end
  return added
end

-- Makes a sorted set true to the rows before it is read in the middle of a verb.
function q.sync(key)
  q.commitAll()
  local changes = q.sets[key]
  if not changes then return end
  q.sets[key] = nil
  local added = prune(key, changes)
  if #added > 0 then q.many('ZADD', key, added) end
end

-- Writes what the verb did. The counters go first: a server that is out of memory refuses a script at its first write that may
-- grow, so that nothing of it is done.
function q.flush()
  q.commitAll()
  local rows = q.packRows()
  if #rows == 0 and next(q.sets) == nil and next(q.hashes) == nil and next(q.changedPlaces) == nil then return end
  q.writePlaces()
  q.totals[REVISION] = q.totals[REVISION] + 1
  if q.totals[TRAFFIC] then q.totals[TRAFFIC][1] = q.totals[REVISION] end
  q.isChanged = true
  call('SET', TOTALS, cmsgpack.pack(q.totals))
  for key, changes in pairs(q.sets) do
    local added = prune(key, changes)
    if #added > 0 then q.many('ZADD', key, added) end
  end
  for key, changes in pairs(q.hashes) do
    local gone, set = {}, {}
    for field, value in pairs(changes) do
      if value then
        set[#set + 1] = field
        set[#set + 1] = value
      else
        gone[#gone + 1] = field
      end
    end
    if #gone > 0 then q.many('HDEL', key, gone) end
    if #set > 0 then q.many('HSET', key, set) end
  end
  q.sets, q.hashes = {}, {}
  if #rows > 0 then q.many('HSET', ROWS, rows) end
  q.writeBlocks()
end

-- Undoes a verb that has written nothing yet.
function q.forgetAll()
  q.sets, q.hashes, q.changed, q.changedPlaces, q.blocks = {}, {}, {}, {}, {}
  q.committed = 0
end
