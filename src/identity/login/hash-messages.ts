import type { HashCost } from './hash-cost.ts'

/** What a hashing thread is asked. Passwords are in their form (`passwordForm`). */
export type HashTask =
  | { readonly kind: 'hash'; readonly password: string; readonly cost: HashCost }
  | { readonly kind: 'verify'; readonly password: string; readonly phc: string }

/** Its answer: a PHC string, or whether the password is the one. */
export type HashResult = { readonly value: string | boolean } | { readonly error: string }
