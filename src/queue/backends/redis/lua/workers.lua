-- Who works on the store, and until when each is known to live.

-- Fields of a worker: boot, namespace of process ids, process id, its start, length of its lease, its end, its handle.
local W_BOOT, W_LEASE_MS, W_UNTIL, W_HANDLE = 1, 5, 6, 7

function q.allWorkers()
  local workers, stored = {}, call('HGETALL', WORKERS)
  for index = 1, #stored, 2 do workers[stored[index]] = cmsgpack.unpack(stored[index + 1]) end
  return workers
end

-- Where times are given, a lease longer than it can be was written under another boot's monotonic clock.
function q.isLapsed(row, boot)
  local rest = row[W_UNTIL] - q.leaseNow()
  return rest <= 0 or (not q.hasOwnTime and row[W_BOOT] ~= boot and rest > row[W_LEASE_MS])
end

function q.forgetWorker(name, row)
  q.write(WORKERS, name, false)
  q.write(ANSWERS, row[W_HANDLE] .. ':fence', false)
  for turn = 0, MOST_ANSWERS - 1 do q.write(ANSWERS, row[W_HANDLE] .. ':' .. turn, false) end
end

-- {worker, {boot, namespace, pid, start, leaseMs} or false}: a sign of life. Who was taken for dead and removed comes back only with
-- its whole identity.
q.verbs.live = function(p)
  local found = p[2] or call('HGET', WORKERS, p[1])
  if not found then return { false } end
  local row = p[2] or cmsgpack.unpack(found)
  row[W_UNTIL] = q.leaseNow() + row[W_LEASE_MS]
  if p[2] then row[W_HANDLE] = q.handle end
  q.write(WORKERS, p[1], cmsgpack.pack(row))
  return { true }
end

-- {worker, {boot, namespace, pid, start, leaseMs}}: the same, at once and before anything else, by a handle that was away.
q.verbs.back = function(p)
  local row = p[2]
  row[W_UNTIL], row[W_HANDLE] = q.leaseNow() + row[W_LEASE_MS], q.handle
  call('HDEL', WORKERS, p[1])
  call('HSET', WORKERS, p[1], cmsgpack.pack(row))
  return { true }
end

-- {worker}: gives up its lease of life.
q.verbs.leave = function(p)
  local found = call('HGET', WORKERS, p[1])
  if found then q.forgetWorker(p[1], cmsgpack.unpack(found)) end
  return { true }
end

-- A number for a new handle.
q.verbs.begin = function()
  call('HDEL', ANSWERS, 'none') -- a write that cannot grow: workers can start while the server is full
  return { call('HINCRBY', ANSWERS, 'handles', 1) }
end

-- A write that means nothing.
q.verbs.touch = function()
  q.write(ANSWERS, 'touched', '1')
  return { true }
end

-- Everyone, by name.
q.verbs.workers = function()
  local found = {}
  for name, row in pairs(q.allWorkers()) do found[#found + 1] = { name, row } end
  return found
end

-- What moves with every change, for those who look whether there was one; and the server's clock.
q.verbs.look = function()
  return { q.totals[REVISION], q.leaseNow() }
end
