-- Requests. Each is a row, one msgpack array: at the front of its record as it was accepted and, once anything of it has changed,
-- in ROWS with its result behind it. Which index holds a request follows from its row alone, so a verb only changes
-- fields: `commit` compares where the row stood with where it stands, and `flush` writes everything at the end.

-- Fields of a row. `false` where there is nothing; those at the end that have nothing are not stored.
local SEQ, ID, PLACE, STATE, REASON, FLAGS, RANK, CALLERS, PRIORITY, ACCEPTED_AT, BYTES, TOKEN, FINGERPRINT, LANE = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
local EXPIRES, NOT_BEFORE, DUE_AT, OPEN, FIRST_SENT, WORKER, UNTIL, PROGRESS, ENDED_AT, ENDED_SEQ, RESULT_BYTES, BASE, REPLAYED_AS, BUNDLE = 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28
-- Whose turn its rank is, its own or lent: group, flow, share.
local TURN = 29
local LAST_FIELD = 29

-- Bits of FLAGS. FIRST_LEASE: the present lease set FIRST_SENT. BEHIND: not the head of its lane.
-- FROM_PROCESS: its sender is one process. UNRESOLVED: no deadline ends it. ON_FAILURE: two bits of which are
-- set what its failure does to others; neither: nothing was said.
local EPHEMERAL, HARMLESS, TOLD, FIRST_LEASE, HAS_WAITERS, HAS_PREDECESSORS, HAS_KEY, UNRESOLVED, BEHIND, FROM_PROCESS = 1, 2, 8, 16, 32, 64, 128, 256, 512, 1024
local ON_FAILURE, HALTS, CASCADES = 6144, 4096, 6144

-- What is known of a row beside its fields: the result behind it, its own text and its record as stored (a record that is about to be,
-- for a new one), its text as written; where it stood when it was touched: index and name there, places in lane, process and
-- expiry; place, state and bytes it was counted with.
local M_TAG, M_TAIL, M_OWN, M_STORED, M_RECORD, M_FIXED, M_PACKED, M_TOUCHED, M_DIRTY, M_GONE = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
local M_KEY, M_MEMBER, M_QUEUED, M_BOUND, M_EXPIRING, M_PLACE, M_STATE, M_BYTES = 11, 12, 13, 14, 15, 16, 17, 18

-- Where names in sorted sets have the tag of their request.
local PLACED_TAG, LANE_TAG, RANK_TAG, BOUND_TAG, PLACED_NUMBER = 14, 9, 18, 6, 5

-- Rows by tag (false: there is none), what is known of them, and those changed since the last flush.
q.rows, q.memo, q.changed = {}, {}, {}
-- How many of the changed ones are committed.
q.committed = 0

function q.has(row, flag)
  return bit.band(row[FLAGS], flag) ~= 0
end

function q.isOnFailure(row, policy)
  return bit.band(row[FLAGS], ON_FAILURE) == policy
end

function q.mark(row, flag, isSet)
  row[FLAGS] = isSet and bit.bor(row[FLAGS], flag) or bit.band(row[FLAGS], bit.bnot(flag))
end

-- A row as text. Nothing at its end is left out: most of what waits has nothing there.
local function packRow(row)
  local last = LAST_FIELD
  while not row[last] do
    row[last] = nil
    last = last - 1
  end
  local text = cmsgpack.pack(row)
  for field = last + 1, LAST_FIELD do row[field] = false end
  return text
end

local function unpackRow(text)
  local offset, row = cmsgpack.unpack_one(text)
  for field = #row + 1, LAST_FIELD do row[field] = false end
  return offset, row
end

local function remember(tag, row, tail, own, stored, record)
  q.rows[tag] = row
  q.memo[row] = { tag, tail, own, stored, record, false, false, false, false, false, false, false, false, false, false, false, false, false }
end

-- Reads the rows of so many tags in one or two commands.
function q.load(tags)
  if #tags == 0 then return end
  local rows, missing, untouched = q.rows, {}, {}
  for _, tag in ipairs(tags) do
    if tag and rows[tag] == nil then
      rows[tag] = false
      missing[#missing + 1] = tag
    end
  end
  if #missing == 0 then return end
  for index, found in ipairs(q.fields(ROWS, missing)) do
    if found then
      local offset, row = unpackRow(found)
      if offset == -1 then
        remember(missing[index], row, '', found, false, false)
      else
        remember(missing[index], row, found:sub(offset + 1), found:sub(1, offset), false, false)
      end
    else
      untouched[#untouched + 1] = missing[index]
    end
  end
  for index, record in ipairs(q.fields(RECORDS, untouched)) do
    if record then
      local _, row = unpackRow(record)
      remember(untouched[index], row, '', false, record, false)
    end
  end
end

function q.rowAt(tag)
  if not tag then return false end
  if q.rows[tag] == nil then q.load({ tag }) end
  return q.rows[tag]
end

-- Tags of requests by id with their rows loaded; false where there is none.
function q.tagsOf(ids)
  local found = q.fields(IDS, ids)
  q.load(found)
  return found
end

-- A name in the order of a number within a place.
local function placed(row, number)
  if number >= 0 then return struct.pack('>I4BdI6', row[PLACE], 1, number, row[SEQ]) end
  return struct.pack('>I4', row[PLACE]) .. q.ordered(number) .. q.tagOf(row[SEQ])
end

-- Where the state of a request puts it: index and name there.
local function slot(row)
  local state = row[STATE]
  if state == IS_READY then return READY, placed(row, row[RANK]) end
  if state == IS_SENDING then return LEASES, struct.pack('>BdI6', 1, math.max(row[UNTIL] or 0, 0), row[SEQ]) end
  if state >= IS_SUCCEEDED then
    return state == IS_DEAD and DEAD or WELL, struct.pack('>I6I6d', row[ENDED_SEQ], row[SEQ], row[ENDED_AT])
  end
  if state == IS_SCHEDULED then return DUE, placed(row, row[DUE_AT] or 0) end
  if state == IS_UNKNOWN then return DOUBT, placed(row, row[DUE_AT] or 0) end
  if state == IS_HELD then return HELD, q.tagOf(row[SEQ]) end
  if q.has(row, BEHIND) then return RANKS, row[LANE] .. q.ordered(row[RANK]) .. q.tagOf(row[SEQ]) end
  return false, false
end

-- Its place behind the head of its lane, in the order of acceptance.
local function queued(row)
  return q.has(row, BEHIND) and row[STATE] < IS_SUCCEEDED and row[LANE] .. q.tagOf(row[SEQ])
end

-- Its place among what one process left waiting, where no other index has it by place.
local function bound(row)
  local state = row[STATE]
  return (state == IS_BLOCKED or state == IS_HELD)
    and q.has(row, FROM_PROCESS)
    and struct.pack('>I4BI6', row[PLACE], state, row[SEQ])
end

-- Its place among what a deadline can end: what nobody sends and whose outcome is not in doubt.
local function expiring(row)
  local state = row[STATE]
  return row[EXPIRES]
    and state < IS_SUCCEEDED
    and state ~= IS_SENDING
    and state ~= IS_UNKNOWN
    and not q.has(row, UNRESOLVED)
    and placed(row, row[EXPIRES])
end

local function accounted(row)
  return row[STATE] < IS_SUCCEEDED and row[BYTES] or row[BYTES] + (row[RESULT_BYTES] or 0)
end

-- To be called before the first change to a row since it was loaded or committed: keeps where it stands.
function q.touch(row)
  local known = q.memo[row]
  if known[M_TOUCHED] then return known end
  known[M_TOUCHED] = true
  q.changed[#q.changed + 1] = row
  known[M_KEY], known[M_MEMBER] = slot(row)
  known[M_QUEUED], known[M_BOUND], known[M_EXPIRING] = queued(row), bound(row), expiring(row)
  known[M_PLACE], known[M_STATE], known[M_BYTES] = row[PLACE], row[STATE], accounted(row)
  return known
end

-- A row that is not stored yet stands nowhere. `record`: what is stored behind it.
function q.begin(row, tag, record)
  remember(tag, row, '', false, false, record)
  q.memo[row][M_TOUCHED] = true
  q.changed[#q.changed + 1] = row
end

local function shift(key, before, after)
  if before == after then return end
  if before then q.put(key, before, false) end
  if after then q.put(key, after, true) end
end

-- Brings indexes and counters to where a touched row stands now.
function q.commit(row)
  local known = q.memo[row]
  if not known[M_TOUCHED] then return end
  local key, member, inLane, inBound, inExpiry = false, false, false, false, false
  if not known[M_GONE] then
    key, member = slot(row)
    inLane, inBound, inExpiry = queued(row), bound(row), expiring(row)
  end
  if known[M_KEY] ~= key or known[M_MEMBER] ~= member then
    if known[M_KEY] then q.put(known[M_KEY], known[M_MEMBER], false) end
    if key then q.put(key, member, true) end
  end
  shift(WAITING, known[M_QUEUED], inLane)
  shift(BOUND, known[M_BOUND], inBound)
  if known[M_EXPIRING] or inExpiry then
    shift(EXPIRY, known[M_EXPIRING], inExpiry)
    if known[M_EXPIRING] then q.countExpiring(known[M_PLACE], -1) end
    if inExpiry then q.countExpiring(row[PLACE], 1) end
  end
  if known[M_PLACE] then q.tally(known[M_PLACE], known[M_STATE], known[M_BYTES], -1) end
  if not known[M_GONE] then q.tally(row[PLACE], row[STATE], accounted(row), 1) end
  known[M_TOUCHED] = false
  known[M_DIRTY] = not known[M_GONE]
end

function q.commitAll()
  local changed = q.changed
  for index = q.committed + 1, #changed do q.commit(changed[index]) end
  q.committed = #changed
end

-- Ids of what ended or was held: somebody may wait for it elsewhere. Too many are not named one by one.
q.told = {}
local MOST_TOLD = 200

local function tell(row)
  local state = row[STATE]
  if state < IS_HELD or #q.told > MOST_TOLD then return end
  q.told[#q.told + 1] = row[ID]
end

function q.news()
  return cmsgpack.pack({ q.handle, #q.told <= MOST_TOLD and q.told })
end

-- The rows that changed, as arguments of HSET. A new one is written with its record.
function q.packRows()
  local arguments = {}
  for _, row in ipairs(q.changed) do
    local known = q.memo[row]
    if known[M_DIRTY] then
      known[M_DIRTY] = false
      tell(row)
      local packed = packRow(row)
      local isNew = known[M_RECORD]
      known[M_PACKED] = packed
      if isNew then
        q.write(RECORDS, known[M_TAG], packed .. known[M_RECORD])
        known[M_RECORD] = false
      end
      if not isNew or known[M_TAIL] ~= '' then
        arguments[#arguments + 1] = known[M_TAG]
        arguments[#arguments + 1] = packed .. known[M_TAIL]
      end
    end
  end
  q.changed, q.committed = {}, 0
  return arguments
end

-- The fields of a stored request that never change: they stand first behind the row in its record.
local F_LANE, F_PRINCIPAL, F_KEY, F_DIGEST, F_EFFECT = 1, 2, 3, 4, 5

function q.fixedOf(row)
  local known = q.memo[row]
  if not known[M_FIXED] then
    local record, from = known[M_RECORD], 0
    if not record then
      record = known[M_STORED] or call('HGET', RECORDS, known[M_TAG])
      from = cmsgpack.unpack_one(record)
    end
    local _, fixed = cmsgpack.unpack_one(record, from)
    known[M_FIXED] = fixed
  end
  return known[M_FIXED]
end

-- Names in the order of a number within one place, up to `most` (false: all).
function q.ofPlace(key, id, most, limit)
  local from = struct.pack('>I4', id)
  local to = most and from .. q.ordered(most) .. '\255\255\255\255\255\255\255' or struct.pack('>I4', id + 1)
  return call('ZRANGEBYLEX', key, '[' .. from, '(' .. to, 'LIMIT', '0', limit)
end

-- Tags of the requests of several places together, best first; each place has its own in order already.
function q.best(key, ids, most, limit)
  local found, sources, tags = {}, 0, {}
  for _, id in ipairs(ids) do
    local names = q.ofPlace(key, id, most, limit)
    if #names > 0 then sources = sources + 1 end
    for _, name in ipairs(names) do found[#found + 1] = name end
  end
  if sources > 1 then
    table.sort(found, function(a, b) return a:sub(PLACED_NUMBER) < b:sub(PLACED_NUMBER) end)
  end
  for index = 1, math.min(limit, #found) do tags[index] = found[index]:sub(PLACED_TAG) end
  return tags
end
