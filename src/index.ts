/** The public door: what a configuration file imports from 'velum'. */
export { defineGateway } from './config/define-gateway.ts'
export { definePlatform } from './config/define-platform.ts'
export type * from './config/input.ts'
export type * from './config/floor-input.ts'
export type * from './config/platform-input.ts'
export type * from './config/identity-input.ts'
export type * from './config/limit-input.ts'
export type * from './config/penalty-input.ts'
export type * from './config/service-input.ts'
export type * from './config/unit-input.ts'
export type { AddressesInput } from './policies/addresses.ts'
export type { AuthInput, ClaimInput } from './policies/auth.ts'
export type { BodyInput, OpenapiInput } from './policies/body.ts'
export type { CorsInput } from './policies/cors.ts'
export type { CsrfInput } from './policies/csrf.ts'
export type { CustomUseInput } from './policies/custom.ts'
export { definePolicy } from './policies/custom/define-policy.ts'
export type {
  PolicyAnswer,
  PolicyCaller,
  PolicyDecision,
  PolicyDefinition,
  PolicyHost,
  PolicyOutcome,
  PolicyPass,
  PolicyRecords,
  PolicyRefusal,
  PolicyRequest,
  RefusalStatus,
} from './policies/custom/define-policy.ts'
export type { HeaderEditsInput, HeadersInput } from './policies/headers.ts'
