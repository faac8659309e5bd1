-- Schedules: {version, due time or false, text} by name, names in the order of their bytes, and names behind the time at which they are due.
-- The field without a name, which no schedule has, is the highest version of those that were deleted.

local V_VERSION, V_DUE, V_TEXT = 1, 2, 3
local W_NAME, W_VERSION, W_DUE, W_TEXT = 1, 2, 3, 4

-- As the verb has left them; false where there is none.
q.planned = {}

local function scheduleAt(name)
  if q.planned[name] == nil then
    local found = call('HGET', SCHEDULES, name)
    q.planned[name] = found and cmsgpack.unpack(found)
  end
  return q.planned[name]
end

local function agendaOf(name, due)
  return due and q.ordered(due) .. name
end

local function move(name, before, after)
  if before == after then return end
  if before then q.put(AGENDA, agendaOf(name, before), false) end
  if after then q.put(AGENDA, agendaOf(name, after), true) end
end

local function writeSchedule(name, version, given, text)
  local before = scheduleAt(name)
  -- There are two zeros, and only one place for them.
  local due = given and given + 0
  move(name, before and before[V_DUE], due)
  if not before then q.put(TITLES, name, true) end
  q.planned[name] = { version, due, text }
  q.write(SCHEDULES, name, cmsgpack.pack(q.planned[name]))
  q.isWorthTelling = true
end

local function floor()
  return tonumber(call('HGET', SCHEDULES, '') or 0)
end

local function found(names)
  local list = {}
  for index, stored in ipairs(q.fields(SCHEDULES, names)) do
    local schedule = stored and cmsgpack.unpack(stored)
    list[index] = schedule and { names[index], schedule[V_VERSION], schedule[V_DUE], schedule[V_TEXT] }
  end
  return list
end

-- {name, due time or false, text, ifVersion or false}
q.verbs.scheduleSet = function(p)
  local before = scheduleAt(p[1])
  if p[4] and p[4] ~= (before and before[V_VERSION] or 0) then return { false } end
  local version = (before and before[V_VERSION] or floor()) + 1
  writeSchedule(p[1], version, p[2], p[3])
  return { version }
end

-- Names.
q.verbs.scheduleGet = function(p)
  return found(p)
end

-- {after or false, limit}
q.verbs.scheduleList = function(p)
  return found(call('ZRANGEBYLEX', TITLES, p[1] and '(' .. p[1] or '-', '+', 'LIMIT', '0', p[2]))
end

-- {name, ifVersion or false}
q.verbs.scheduleDelete = function(p)
  local name, before = p[1], scheduleAt(p[1])
  if not before or p[2] and p[2] ~= before[V_VERSION] then return { false } end
  if before[V_VERSION] > floor() then q.write(SCHEDULES, '', string.format('%.0f', before[V_VERSION])) end
  move(name, before[V_DUE], false)
  q.put(TITLES, name, false)
  q.write(SCHEDULES, name, false)
  q.planned[name] = false
  q.isWorthTelling = true
  return { true }
end

-- {now, limit, due time or false, name}: those behind that place.
q.verbs.scheduleDue = function(p)
  local from = p[3] and '(' .. agendaOf(p[4], p[3] + 0) or '-'
  -- No name begins with such a byte.
  local entries = call('ZRANGEBYLEX', AGENDA, from, '(' .. q.ordered(p[1] + 0) .. '\255', 'LIMIT', '0', p[2])
  local names = {}
  for index, entry in ipairs(entries) do names[index] = entry:sub(10) end
  return found(names)
end

q.verbs.scheduleNext = function()
  local first = call('ZRANGEBYLEX', AGENDA, '-', '+', 'LIMIT', '0', 1)[1]
  return { first and q.numberAt(first, 1) or false }
end

-- The version of a schedule that a firing does not find as it expects it (0: there is none); nil where it does.
function q.objectionToFiring(fires)
  local schedule = scheduleAt(fires[W_NAME])
  local version = schedule and schedule[V_VERSION] or 0
  if version ~= 0 and version == fires[W_VERSION] then return nil end
  return version
end

function q.fire(fires)
  writeSchedule(fires[W_NAME], fires[W_VERSION] + 1, fires[W_DUE], fires[W_TEXT])
end
