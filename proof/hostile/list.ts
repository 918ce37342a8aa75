import type { Attack } from './attack.ts'
import { bodyAttacks } from './attacks/bodies.ts'
import { connectionAttacks } from './attacks/connections.ts'
import { costlyAttacks } from './attacks/costly.ts'
import { frameAttacks } from './attacks/frames.ts'
import { handshakeAttacks } from './attacks/handshakes.ts'
import { headAttacks } from './attacks/heads.ts'
import { slowAttacks } from './attacks/slow.ts'
import { socketAttacks } from './attacks/sockets.ts'

/** Every attack, in the order in which the proof makes them. */
export const attacks: readonly Attack[] = [
  ...slowAttacks,
  ...connectionAttacks,
  ...handshakeAttacks,
  ...frameAttacks,
  ...headAttacks,
  ...bodyAttacks,
  ...socketAttacks,
  ...costlyAttacks,
]
