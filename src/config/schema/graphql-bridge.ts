import { z } from 'zod'

const methodSchema = z.strictObject({
  as: z
    .enum(['query', 'mutation', 'none'])
    .optional()
    .describe(
      'What the method is; none leaves it out. Default: a query where it is declared free of side effects or has a rule of GET, else a mutation. Methods that stream answers are subscriptions.',
    ),
  name: z
    .string()
    .regex(/^(?!__)[A-Za-z_]\w*$/, 'a name of GraphQL')
    .optional()
    .describe('The name of its field. Default: that of the method, in lowerCamelCase.'),
})

/** GraphQL with its options. */
export const graphqlBridgeSchema = z.strictObject({
  use: z.literal('graphql').describe('GraphQL over HTTP.'),
  introspection: z
    .boolean()
    .optional()
    .describe('Answers questions for the schema itself, and helps with misspelt names. Default: false.'),
  statusCodes: z
    .enum(['2025', '2026'])
    .optional()
    .describe(
      'The status codes of GraphQL over HTTP. 2025: 400 for a document that is refused, 200 for data with errors. 2026 (the draft of August): 422 and 294, and application/graphql-response+json for callers that accept anything. With application/json it is 200 in both. Default: 2025.',
    ),
  methods: z
    .record(z.string().regex(/^(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*$/, 'package.Service.Method'), methodSchema)
    .optional()
    .describe('What methods are in the schema, by package.Service.Method, against what their descriptors say.'),
})

export type GraphqlBridge = z.output<typeof graphqlBridgeSchema>
