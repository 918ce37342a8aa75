import { createContext } from 'preact'

/** Whose gateway this is: several teams' look alike. */
export const GatewayName = createContext<string | undefined>(undefined)
