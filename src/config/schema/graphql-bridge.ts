import { z } from 'zod'
import { size } from './units.ts'

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

const count = (most: number): z.ZodType<number, number> => z.number().int().min(1).max(most)

const limitsSchema = z.strictObject({
  bytes: size('1kb', '16mb').optional().describe('Largest request. Default: 128kb.'),
  tokens: count(100_000).optional().describe('Most words and signs of a document. Default: 2000.'),
  depth: count(100).optional().describe('Deepest nesting of fields. Default: 12.'),
  aliases: count(10_000)
    .optional()
    .describe('Most fields under another name, and fields said again; those of a fragment count where it is spread. Default: 30.'),
  rootFields: count(1000).optional().describe('Most fields at the root, each of which is a call. Default: 20.'),
  directives: count(1000).optional().describe('Most directives of a document. Default: 30.'),
  cost: count(1_000_000_000)
    .optional()
    .describe(
      'Highest cost of an operation: a call 10, an object 1, times the lengths of the lists that it stands in. A list is as long as the input of its call says (pageSize, limit, first, last, maxResults), else as listSize. Default: 5000.',
    ),
  listSize: count(100_000).optional().describe('The length that a list is taken for. Default: 10.'),
})

const persistedSchema = z.strictObject({
  file: z.string().min(1).describe('A JSON object of id and document, relative to the config file. Ids are sha256:HASH of the document, or any name.'),
  only: z.boolean().optional().describe('Executes nothing but these. Default: false.'),
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
  limits: limitsSchema.optional().describe('Bounds of what one operation may ask for, judged before anything of it is executed.'),
  persisted: persistedSchema
    .optional()
    .describe('Documents known beforehand; callers send their id (documentId, or what Apollo calls a persisted query).')
    .meta({ examples: [{ file: 'operations.json', only: true }] }),
})

export type GraphqlBridge = z.output<typeof graphqlBridgeSchema>

/** What stands before a service that speaks GraphQL itself. */
export const graphqlGuardSchema = z.union([
  z.literal(true),
  z.strictObject({
    introspection: graphqlBridgeSchema.shape.introspection,
    statusCodes: graphqlBridgeSchema.shape.statusCodes,
    limits: limitsSchema
      .optional()
      .describe(
        'Bounds of what one operation may ask for, judged by its form: the schema is the service\'s. A list counts for as long as the arguments around it say, else once; listSize is not used.',
      ),
  }),
])

export type GraphqlGuard = z.output<typeof graphqlGuardSchema>
