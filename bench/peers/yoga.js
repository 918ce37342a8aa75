import { createSchema, createYoga } from 'graphql-yoga'
import { createServer } from 'node:http'

const typeDefs = `
  type Place { shelf: String! level: Int! }
  type Item { id: String! title: String! price: String! weight: Float! available: Boolean! updated: String tags: [String!]! place: Place }
  input ItemInput { id: String }
  type Query { get(input: ItemInput): Item }`

/** graphql-yoga as its documentation shows it, with one query that `get` answers. */
export function serveYoga(port, get) {
  const resolvers = { Query: { get: (_parent, { input }) => get(input?.id ?? '') } }
  const yoga = createYoga({ logging: false, graphiql: false, schema: createSchema({ typeDefs, resolvers }) })
  createServer((incoming, response) => void yoga(incoming, response)).listen(port, '127.0.0.1')
}
