// A process that attacks: started by proof/hostile.ts, which tells it what to do and when.
import type { Attack } from './attack.ts'
import { Field } from './attack.ts'
import { attacks } from './list.ts'
import type { AttackOrder, AttackWord } from './messages.ts'
import type { Target } from './target.ts'

let target: Target | undefined
let attack: Attack | undefined
let field: Field | undefined

process.on('message', (order: AttackOrder) => {
  void obey(order).catch((thrown: unknown) => say({ kind: 'failed', why: String(thrown) }))
})
// Whatever an attack meets is the attacker's bad luck.
process.on('uncaughtException', (error) => console.error(`attacker: ${error.stack}`))

async function obey(order: AttackOrder): Promise<void> {
  switch (order.kind) {
    case 'prepare': {
      target = order.target
      attack = attacks.find(({ name }) => name === order.name)!
      const before = new Field(target)
      await attack.prepare?.(before)
      before.clear()
      say({ kind: 'prepared' })
      break
    }
    case 'go':
      field = new Field(target!)
      await attack!.begin(field)
      break
    default:
      field!.clear()
      say({ kind: 'stopped', count: field!.count, cutOff: field!.cutOff })
  }
}

function say(word: AttackWord): void {
  process.send!(word)
}
