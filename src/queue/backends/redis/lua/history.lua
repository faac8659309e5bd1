-- Append-only streams.

local function streamName(stream)
  return struct.pack('>I2', #stream) .. stream
end

-- {{stream, at, text}, …}
q.verbs.append = function(p)
  local seqs = {}
  for index, entry in ipairs(p) do
    local seq = q.totals[HISTORY_SEQ] + 1
    q.totals[HISTORY_SEQ] = seq
    q.write(ENTRIES, q.tagOf(seq), cmsgpack.pack({ entry[2], entry[3] }))
    q.put(STREAMS, streamName(entry[1]) .. q.tagOf(seq), true)
    seqs[index] = seq
  end
  return seqs
end

-- {stream, after, limit}
q.verbs.history = function(p)
  local name, tags, found = streamName(p[1]), {}, {}
  local from, to = '(' .. name .. q.tagOf(math.max(p[2], 0)), '(' .. name .. string.rep('\255', 7)
  for index, member in ipairs(call('ZRANGEBYLEX', STREAMS, from, to, 'LIMIT', '0', p[3])) do
    tags[index] = member:sub(#name + 1)
  end
  for index, entry in ipairs(q.fields(ENTRIES, tags)) do
    local one = cmsgpack.unpack(entry)
    found[index] = { (struct.unpack('>I6', tags[index])), one[1], one[2] }
  end
  return found
end

-- {stream, keep, before}
q.verbs.trim = function(p)
  local name, removed, index = streamName(p[1]), 0, 0
  local from, to = '[' .. name, '(' .. name .. string.rep('\255', 7)
  local excess = call('ZLEXCOUNT', STREAMS, from, to) - p[2]
  while true do
    local members, tags = call('ZRANGEBYLEX', STREAMS, from, to, 'LIMIT', '0', 500), {}
    for at, member in ipairs(members) do tags[at] = member:sub(#name + 1) end
    for at, entry in ipairs(q.fields(ENTRIES, tags)) do
      index = index + 1
      if index <= excess or cmsgpack.unpack(entry)[1] < p[3] then
        q.put(STREAMS, members[at], false)
        q.write(ENTRIES, tags[at], false)
        removed = removed + 1
      end
    end
    if #members < 500 then return { removed } end
    from = '(' .. members[500]
  end
end
