-- What is asked, and how numbers stand in names that a sorted set keeps in order.
--
-- Everything that functions share is in `q`: a function of Lua looks up each local that it takes from around it when it is made,
-- and all of them are made anew for every call of the script.

local q = {}
local call = redis.call

-- {verb, number of the call (0: it only reads), lease time (false: the server's own), length of a lease, handle, channel of news,
-- payload}
q.asked = cmsgpack.unpack(ARGV[1])
q.handle = q.asked[5]
q.hasOwnTime = not q.asked[3]
q.verbs = {}

-- The time by which leases are judged.
function q.leaseNow()
  if not q.asked[3] then
    local time = call('TIME')
    q.asked[3] = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return q.asked[3]
end

-- What only few calls of a script need, by file: it is made when one asks for it.
q.parts = {}

function q.need(part)
  local make = q.parts[part]
  q.parts[part] = nil
  if make then make() end
end

-- The end of a lease that the caller puts at `given` by a clock of its own.
function q.leaseEnd(given)
  return q.hasOwnTime and q.leaseNow() + q.asked[4] or given
end

-- A double as nine bytes in the order of the numbers.
function q.ordered(number)
  if number >= 0 then return struct.pack('>Bd', 1, number) end
  local high, low = struct.unpack('>I4I4', struct.pack('>d', number))
  return struct.pack('>BI4I4', 0, 4294967295 - high, 4294967295 - low)
end

-- The double at a position of such bytes.
function q.numberAt(bytes, from)
  if bytes:byte(from) == 1 then return (struct.unpack('>d', bytes, from + 1)) end
  local high, low = struct.unpack('>I4I4', bytes, from + 1)
  return (struct.unpack('>d', struct.pack('>I4I4', 4294967295 - high, 4294967295 - low)))
end

-- A seq as the six bytes by which hashes and sorted sets know a request: its tag.
function q.tagOf(seq)
  return struct.pack('>I6', seq)
end

-- Calls a command with any number of arguments after its key.
function q.many(command, key, arguments)
  for from = 1, #arguments, MOST_ARGUMENTS do
    call(command, key, unpack(arguments, from, math.min(from + MOST_ARGUMENTS - 1, #arguments)))
  end
end

-- Values of fields, in order; false where there is none.
function q.fields(key, names)
  if #names == 0 then return {} end
  if #names <= MOST_ARGUMENTS then return call('HMGET', key, unpack(names)) end
  local found = {}
  for from = 1, #names, MOST_ARGUMENTS do
    for _, value in ipairs(call('HMGET', key, unpack(names, from, math.min(from + MOST_ARGUMENTS - 1, #names)))) do
      found[#found + 1] = value
    end
  end
  return found
end

-- Members of a sorted set of names that begin with `prefix`, in order.
function q.under(key, prefix, limit)
  return call('ZRANGEBYLEX', key, '[' .. prefix, '(' .. prefix .. string.rep('\255', 20), 'LIMIT', '0', limit)
end
