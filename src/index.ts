/** The public door: what a configuration file imports from 'velum'. */
export { defineGateway } from './config/define-gateway.ts'
export type * from './config/input.ts'
