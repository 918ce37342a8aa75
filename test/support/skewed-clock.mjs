// A machine whose clock is wrong: `node --import '…/skewed-clock.mjs?ms=5000'` shifts what the process, and every thread of
// it, takes for the time of day. Spans of time stay what they are.
const skewMs = Number(new URL(import.meta.url).searchParams.get('ms'))
const TrueDate = Date
const now = () => TrueDate.now() + skewMs

globalThis.Date = class extends TrueDate {
  constructor(...parts) {
    if (parts.length === 0) super(now())
    else super(...parts)
  }

  static now() {
    return now()
  }
}
