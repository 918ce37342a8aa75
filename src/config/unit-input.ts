/** `250ms`, `5s`, `10m`, `12h`, `30d`: a whole number and a unit. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`
/** `512b`, `64kb`, `10mb`, `1gb`: a whole number and a unit of 1024. */
export type Size = `${number}${'b' | 'kb' | 'mb' | 'gb'}`
/** `2/s`, `100/m`, `5000/h`, `100000/d`: a whole number per period. */
export type Rate = `${number}/${'s' | 'm' | 'h' | 'd'}`
/** A value that may come from the environment: undefined compiles, and `velum check` reports it. */
export type Secret = string | undefined
