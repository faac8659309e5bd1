-- Small shared values, semaphores and buckets. Their times are the server's own unless they are given.

-- What a caller's instant is on the clock that counts here.
local function here(now)
  return q.hasOwnTime and q.leaseNow() or now
end

-- Keeps LAPSES true: names in the order of the time at which what they name is over.
local function lapse(kind, key, before, after)
  if before == after then return end
  if before then q.put(LAPSES, q.ordered(before) .. kind .. key, false) end
  if after then q.put(LAPSES, q.ordered(after) .. kind .. key, true) end
end

local function storedValue(key)
  local found = call('HGET', VALUES, key)
  return found and cmsgpack.unpack(found)
end

local function valueAt(key, now)
  local value = storedValue(key)
  if not value or (value[3] and value[3] <= here(now)) then return nil end
  if value[3] then value[3] = value[3] - here(now) + now end
  return value
end

-- {key, now}
q.verbs.sharedGet = function(p)
  return { valueAt(p[1], p[2]) }
end

-- {key, text, expiresAt, now, ifVersion}: versions ascend over all keys, so that none comes again.
q.verbs.sharedSet = function(p)
  local key, now = p[1], p[4]
  if p[5] then
    local value = valueAt(key, now)
    if (value and value[2] or 0) ~= p[5] then return { false } end
  end
  local before, version = storedValue(key), q.totals[SHARED_VERSION] + 1
  q.totals[SHARED_VERSION] = version
  local expires = p[3] and p[3] - now + here(now)
  q.write(VALUES, key, cmsgpack.pack({ p[2], version, expires }))
  q.put(NAMES, key, true)
  lapse('v', key, before and before[3], expires)
  return { version }
end

local function forgetValue(key, value)
  q.write(VALUES, key, false)
  q.put(NAMES, key, false)
  lapse('v', key, value[3], false)
end

-- {key}
q.verbs.sharedDelete = function(p)
  local value = storedValue(p[1])
  if value then forgetValue(p[1], value) end
  return { value and true or false }
end

-- {prefix, now, limit}
q.verbs.sharedList = function(p)
  local prefix, found, from = p[1], {}, '[' .. p[1]
  while true do
    local names = call('ZRANGEBYLEX', NAMES, from, '+', 'LIMIT', '0', 100)
    for _, name in ipairs(names) do
      if #found >= p[3] or name:sub(1, #prefix) ~= prefix then return found end
      local value = valueAt(name, p[2])
      if value then found[#found + 1] = { name, value } end
    end
    if #names < 100 then return found end
    from = '(' .. names[100]
  end
end

-- Those who hold a place, with the end of each; and when the last of all stored ones ends.
local function holdersOf(key, now)
  local found, kept, last = call('HGET', SEMAPHORES, key), {}, false
  for _, one in ipairs(found and cmsgpack.unpack(found) or {}) do
    if not now or one[2] > here(now) then kept[#kept + 1] = one end
    last = math.max(last or one[2], one[2])
  end
  return kept, last
end

local function writeHolders(key, holders, before)
  local last = false
  for _, one in ipairs(holders) do last = math.max(last or one[2], one[2]) end
  q.write(SEMAPHORES, key, #holders > 0 and cmsgpack.pack(holders))
  lapse('s', key, before, last)
end

-- {key, holder, permits, now, expiresAt}
q.verbs.acquire = function(p)
  local key, holder, now = p[1], p[2], p[4]
  local holders, last = holdersOf(key, now)
  local untilWhen, own = p[5] - now + here(now), nil
  for _, one in ipairs(holders) do
    if one[1] == holder then own = one end
  end
  if not own and #holders >= p[3] then return { false } end
  if own then own[2] = untilWhen else holders[#holders + 1] = { holder, untilWhen } end
  writeHolders(key, holders, last)
  return { true }
end

-- {key, holder}
q.verbs.release = function(p)
  local holders, last = holdersOf(p[1], false)
  local kept = {}
  for _, one in ipairs(holders) do
    if one[1] ~= p[2] then kept[#kept + 1] = one end
  end
  if #kept < #holders then writeHolders(p[1], kept, last) end
  return { #kept < #holders }
end

-- GCRA: a bucket is the instant at which it would be full again. {key, cost, ratePerSecond, burst, now}; answers {ms to wait},
-- {false} for ever.
q.verbs.take = function(p)
  local key, cost, burst, now = p[1], p[2], p[4], here(p[5])
  if cost > burst then return { false } end
  local perToken = 1000 / p[3]
  local window = burst * perToken
  local before = tonumber(call('HGET', BUCKETS, key) or false)
  -- Never further ahead than an empty bucket: a clock that stepped back must not stall it.
  local fullAt = math.min(math.max(before or now, now), now + window)
  local filled = fullAt + cost * perToken
  local waitMs = filled - window - now
  -- What is left of a rounding error is not worth a wait.
  local isTaken = waitMs <= 1e-3
  local kept = isTaken and filled or fullAt
  q.write(BUCKETS, key, string.format('%.17g', kept))
  lapse('b', key, before, kept)
  return { isTaken and 0 or math.ceil(waitMs - 1e-3) }
end

-- Forgets what lapsed and was never asked for again.
function q.forgetLapsed(now, limit)
  local names = call('ZRANGEBYLEX', LAPSES, '-', '(' .. q.ordered(here(now)) .. '\255', 'LIMIT', '0', limit)
  for _, name in ipairs(names) do
    local kind, key = name:sub(10, 10), name:sub(11)
    q.put(LAPSES, name, false)
    if kind == 's' then
      q.write(SEMAPHORES, key, false)
    elseif kind == 'b' then
      q.write(BUCKETS, key, false)
    else
      q.write(VALUES, key, false)
      q.put(NAMES, key, false)
    end
  end
end
