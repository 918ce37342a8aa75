-- One line for the bench to read; every script of this folder loads it.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("bench %d %d %d %d %d %d %d %d %d %d\n",
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
