-- What wrk sends: each line of the file that REQUESTS names once, "path<TAB>Header: value<TAB>…<TAB><TAB>body". PAUSE (ms): the mean pause of a
-- connection between two requests, for a load below the most that is possible. A file that is too short ends as errors, never as repetitions.
local threads, lines = 0, {}

function setup(thread)
  thread:set('place', threads)
  threads = threads + 1
end

function init()
  local number = 0
  for line in io.lines(os.getenv('REQUESTS')) do
    if number % tonumber(os.getenv('THREADS')) == place then lines[#lines + 1] = line end
    number = number + 1
  end
  at, pause = 0, tonumber(os.getenv('PAUSE') or '0')
  math.randomseed(place + 1)
end

if tonumber(os.getenv('PAUSE') or '0') > 0 then
  function delay()
    return math.floor(math.random() * 2 * pause + 0.5)
  end
end

function request()
  at = at + 1
  local line = lines[at] or '/used-up\t\t'
  local head, body = string.match(line, '^(.-)\t\t(.*)$')
  local path, headers = nil, { ['Content-Type'] = 'application/json' }
  for field in string.gmatch(head, '[^\t]+') do
    if not path then
      path = field
    else
      local name, value = string.match(field, '^([^:]+): (.*)$')
      headers[name] = value
    end
  end
  return wrk.format('POST', path, headers, body)
end

function done(summary, latency, requests)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  print(string.format('FOUND {"requests": %d, "seconds": %f, "bad": %d, "p50": %f, "p99": %f}', summary.requests, summary.duration / 1e6, bad,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
