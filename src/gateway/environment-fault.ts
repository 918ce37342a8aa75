export { EnvironmentFault } from '../core/environment-fault.ts'
