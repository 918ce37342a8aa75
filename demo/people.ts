/** A person with an account, as the users service tells of them. */
export interface Person {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly tenant: string
  readonly roles: readonly string[]
  readonly since: string
}

/** Everybody with an account in the demo; each belongs to one of three tenants. */
export const people: readonly Person[] = [
  {
    id: 'ada',
    name: 'Ada Lindqvist',
    email: 'ada@acme.example',
    tenant: 'acme',
    roles: ['buyer', 'approver'],
    since: '2023-02-14',
  },
  { id: 'bela', name: 'Béla Kovács', email: 'bela@acme.example', tenant: 'acme', roles: ['buyer'], since: '2024-06-03' },
  { id: 'chidi', name: 'Chidi Okafor', email: 'chidi@globex.example', tenant: 'globex', roles: ['buyer'], since: '2022-11-29' },
  {
    id: 'dana',
    name: 'Dana Whitfield',
    email: 'dana@globex.example',
    tenant: 'globex',
    roles: ['accountant'],
    since: '2023-09-18',
  },
  { id: 'emre', name: 'Emre Yıldız', email: 'emre@initech.example', tenant: 'initech', roles: ['buyer'], since: '2025-01-07' },
  {
    id: 'fumiko',
    name: 'Fumiko Tanaka',
    email: 'fumiko@initech.example',
    tenant: 'initech',
    roles: ['approver'],
    since: '2021-05-22',
  },
]
