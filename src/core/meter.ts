/** Label names and values of one series; values come from the configuration or a closed set, never from a client. */
export type Labels = Readonly<Record<string, string>>

/** A number that only grows. */
export interface Count {
  add(n?: number): void
}

/** A number that goes both ways, summed over the workers of a node. */
export interface Level {
  add(n: number): void
}

/** A distribution with fixed buckets. */
export interface Spread {
  observe(value: number): void
}

/**
 * Where metrics come from. Series are opened when a Generation is compiled, or on first use where the labels
 * come from a closed set: opening the same
 * name and labels twice yields the same series, on every worker. Names are `velum_*` with Prometheus' units.
 */
export interface Meter {
  counter(name: string, help: string, labels?: Labels): Count
  gauge(name: string, help: string, labels?: Labels): Level
  histogram(name: string, help: string, labels?: Labels): Spread
}

const nothing = { add() {}, observe() {} }

/** Counts nothing; for tests and for parts built only to be checked. */
export const silentMeter: Meter = { counter: () => nothing, gauge: () => nothing, histogram: () => nothing }
