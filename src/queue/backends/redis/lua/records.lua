-- Requests as they are given out.

-- Reads the records of those of which only the row was read, by one command.
function q.loadRecords(list)
  local missing, behind = {}, {}
  for _, row in ipairs(list) do
    local known = q.memo[row]
    if not known[M_STORED] then
      missing[#missing + 1] = known[M_TAG]
      behind[#missing] = known
    end
  end
  for index, record in ipairs(q.fields(RECORDS, missing)) do behind[index][M_STORED] = record end
end

-- Whole records as they are stored now: row (false: the one in the record), result, record, zone, channel, sender. And their tags.
function q.recordsOf(list)
  local tags, ids, found = {}, {}, {}
  for index, row in ipairs(list) do
    tags[index] = q.memo[row][M_TAG]
    ids[index] = row[PLACE]
  end
  q.loadPlaces(ids)
  q.loadRecords(list)
  for index, row in ipairs(list) do
    local known, place = q.memo[row], q.places[row[PLACE]]
    found[index] = {
      known[M_PACKED] or known[M_OWN],
      known[M_TAIL],
      known[M_STORED],
      place[P_ZONE],
      place[P_CHANNEL],
      place[P_SENDER],
    }
  end
  return found, tags
end

-- What an earlier, unheard answer of a claim gave, as far as it still holds.
function q.claimedBefore(tags, worker)
  q.load(tags)
  local held = {}
  for _, tag in ipairs(tags) do
    local row = q.rows[tag]
    if row and row[WORKER] == worker then held[#held + 1] = row end
  end
  return { (q.recordsOf(held)), {}, {} }
end
